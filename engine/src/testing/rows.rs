//! Rows as a test writes them, and the batches they become.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    new_null_array,
};
use arrow::buffer::ScalarBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};

use crate::batch::EventBatch;

/// A value of a row; it takes the type of its column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer, a date, a time in the column's unit.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text, or a number as text: `"1.50"` for a decimal.
    Text(String),
}

/// A row: the cells of its columns, and its time where the operator takes the time of the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Cell>);

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! row_from_tuple {
    ($($cell:ident),+) => {
        impl<$($cell: Into<Cell>),+> From<($($cell,)+)> for Row {
            #[expect(non_snake_case, reason = "a cell is named by its type")]
            fn from(($($cell,)+): ($($cell,)+)) -> Self {
                Self(vec![$($cell.into()),+])
            }
        }
    };
}
row_from_tuple!(A);
row_from_tuple!(A, B);
row_from_tuple!(A, B, C);
row_from_tuple!(A, B, C, D);
row_from_tuple!(A, B, C, D, E);
row_from_tuple!(A, B, C, D, E, F);

/// The batch of `rows` over the columns of `schema`. With `record_time` the last cell of each row is its event time.
///
/// # Panics
/// If a row has too many or too few cells, or one that its column cannot hold.
pub fn batch_of(schema: &SchemaRef, record_time: bool, rows: &[Row]) -> EventBatch {
    let width = schema.fields().len();
    for row in rows {
        assert_eq!(row.0.len(), width + usize::from(record_time), "the number of cells of {row:?} for {schema}");
    }
    let column = |at: usize| rows.iter().map(|row| &row.0[at]).collect::<Vec<_>>();
    let columns = schema.fields().iter().enumerate().map(|(at, field)| array(&column(at), field.data_type())).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    let event_time = record_time.then(|| {
        let times = column(width).into_iter().map(|cell| match cell {
            Cell::Int(time) => *time,
            Cell::Null => i64::MIN,
            Cell::Bool(_) | Cell::Float(_) | Cell::Text(_) => panic!("{cell:?} as the time of a row"),
        });
        times.collect::<ScalarBuffer<i64>>()
    });
    EventBatch { rows: batch.expect("rows that fit the schema"), event_time, row_kinds: None }
}

/// The column of type `data_type` that `cells` are.
fn array(cells: &[&Cell], data_type: &DataType) -> ArrayRef {
    let loose: ArrayRef = match cells.iter().find(|cell| ***cell != Cell::Null) {
        None => return new_null_array(data_type, cells.len()),
        Some(Cell::Bool(_)) => Arc::new(cells.iter().map(|cell| as_bool(cell)).collect::<BooleanArray>()),
        Some(Cell::Int(_)) => Arc::new(cells.iter().map(|cell| as_int(cell)).collect::<Int64Array>()),
        Some(Cell::Float(_)) => Arc::new(cells.iter().map(|cell| as_float(cell)).collect::<Float64Array>()),
        Some(Cell::Null | Cell::Text(_)) => Arc::new(cells.iter().map(|cell| as_text(cell)).collect::<StringArray>()),
    };
    // Arrow makes no 32-bit times of 64-bit integers.
    let loose = match data_type {
        DataType::Date32 | DataType::Time32(_) => cast(&loose, &DataType::Int32).expect("a number of 32 bits"),
        _ => loose,
    };
    let column = cast(&loose, data_type).expect("a cell that its column can hold");
    assert_eq!(column.null_count(), loose.null_count(), "{cells:?} as {data_type}");
    column
}

fn as_bool(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Bool(value) => Some(*value),
        Cell::Null => None,
        Cell::Int(_) | Cell::Float(_) | Cell::Text(_) => panic!("{cell:?} among truth values"),
    }
}

fn as_int(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Int(value) => Some(*value),
        Cell::Null => None,
        Cell::Bool(_) | Cell::Float(_) | Cell::Text(_) => panic!("{cell:?} among integers"),
    }
}

fn as_float(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Float(value) => Some(*value),
        Cell::Null => None,
        Cell::Bool(_) | Cell::Int(_) | Cell::Text(_) => panic!("{cell:?} among floating-point numbers"),
    }
}

fn as_text(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Text(value) => Some(value),
        Cell::Null => None,
        Cell::Bool(_) | Cell::Int(_) | Cell::Float(_) => panic!("{cell:?} among texts"),
    }
}
