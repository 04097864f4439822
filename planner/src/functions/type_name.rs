//! What `TYPEOF` says of a type, and messages: the names of SQL, with `NOT NULL` inside lists, rows and maps.

use arrow::datatypes::{DataType, Field};
use millstream_engine::sql_type::sql_name;

/// The name of a type, as SQL writes it.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::List(item) => format!("ARRAY<{}>", field_type_name(item)),
        DataType::Struct(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|field| format!("`{}` {}", field.name(), field_type_name(field))).collect();
            format!("ROW<{}>", fields.join(", "))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                format!("MAP<{}, {}>", type_name(pair[0].data_type()), field_type_name(&pair[1]))
            }
            _ => sql_name(data_type),
        },
        other => sql_name(other),
    }
}

/// The type of a field; `NOT NULL` when it has no nulls.
pub(super) fn field_type_name(field: &Field) -> String {
    let name = type_name(field.data_type());
    if field.is_nullable() { name } else { format!("{name} NOT NULL") }
}
