//! Which columns and fields are wanted: names become an enum, and what does not fit the stream is refused.

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::nexmark::generator::EventKind;

/// The wanted columns of a batch.
#[derive(Debug)]
pub(in crate::nexmark) struct Projection {
    schema: SchemaRef,
    columns: Vec<Column>,
}

/// One of the four columns.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::nexmark) enum Column {
    /// `event_type`.
    EventType,
    /// `person`, `auction` or `bid`, and which of its fields.
    Struct(Fields, StructFields),
}

/// The wanted fields of a struct, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::nexmark) enum StructFields {
    /// Of `person`.
    Person(Vec<PersonField>),
    /// Of `auction`.
    Auction(Vec<AuctionField>),
    /// Of `bid`.
    Bid(Vec<BidField>),
}

/// The fields of `person`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nexmark) enum PersonField {
    Id,
    Name,
    EmailAddress,
    CreditCard,
    City,
    State,
    DateTime,
    Extra,
}

/// The fields of `auction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nexmark) enum AuctionField {
    Id,
    ItemName,
    Description,
    InitialBid,
    Reserve,
    DateTime,
    Expires,
    Seller,
    Category,
    Extra,
}

/// The fields of `bid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nexmark) enum BidField {
    Auction,
    Bidder,
    Price,
    Channel,
    Url,
    DateTime,
    Extra,
}

/// The types that fields have.
#[derive(Debug, Clone, Copy)]
enum Type {
    BigInt,
    Text,
    Timestamp,
}

const PERSON: &[(&str, Type, PersonField)] = &[
    ("id", Type::BigInt, PersonField::Id),
    ("name", Type::Text, PersonField::Name),
    ("emailAddress", Type::Text, PersonField::EmailAddress),
    ("creditCard", Type::Text, PersonField::CreditCard),
    ("city", Type::Text, PersonField::City),
    ("state", Type::Text, PersonField::State),
    ("dateTime", Type::Timestamp, PersonField::DateTime),
    ("extra", Type::Text, PersonField::Extra),
];

const AUCTION: &[(&str, Type, AuctionField)] = &[
    ("id", Type::BigInt, AuctionField::Id),
    ("itemName", Type::Text, AuctionField::ItemName),
    ("description", Type::Text, AuctionField::Description),
    ("initialBid", Type::BigInt, AuctionField::InitialBid),
    ("reserve", Type::BigInt, AuctionField::Reserve),
    ("dateTime", Type::Timestamp, AuctionField::DateTime),
    ("expires", Type::Timestamp, AuctionField::Expires),
    ("seller", Type::BigInt, AuctionField::Seller),
    ("category", Type::BigInt, AuctionField::Category),
    ("extra", Type::Text, AuctionField::Extra),
];

const BID: &[(&str, Type, BidField)] = &[
    ("auction", Type::BigInt, BidField::Auction),
    ("bidder", Type::BigInt, BidField::Bidder),
    ("price", Type::BigInt, BidField::Price),
    ("channel", Type::Text, BidField::Channel),
    ("url", Type::Text, BidField::Url),
    ("dateTime", Type::Timestamp, BidField::DateTime),
    ("extra", Type::Text, BidField::Extra),
];

/// All columns that the connector has, with all their fields.
pub fn schema() -> Schema {
    Schema::new(vec![
        Field::new("event_type", DataType::Int32, true),
        whole("person", PERSON),
        whole("auction", AUCTION),
        whole("bid", BID),
    ])
}

impl Projection {
    /// Finds the columns of `schema`. The error names the column and says what it should be.
    pub(in crate::nexmark) fn new(schema: SchemaRef) -> Result<Self, String> {
        let columns = schema.fields().iter().map(|field| column(field)).collect::<Result<_, _>>()?;
        Ok(Self { schema, columns })
    }

    /// The columns of batches.
    pub(in crate::nexmark) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What they are.
    pub(in crate::nexmark) fn columns(&self) -> &[Column] {
        &self.columns
    }
}

impl StructFields {
    /// The kind of event that it is about.
    pub(in crate::nexmark) fn kind(&self) -> EventKind {
        match self {
            Self::Person(_) => EventKind::Person,
            Self::Auction(_) => EventKind::Auction,
            Self::Bid(_) => EventKind::Bid,
        }
    }
}

impl Type {
    fn in_arrow(self) -> DataType {
        match self {
            Self::BigInt => DataType::Int64,
            Self::Text => DataType::Utf8,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
        }
    }

    fn in_sql(self) -> &'static str {
        match self {
            Self::BigInt => "BIGINT",
            Self::Text => "VARCHAR",
            Self::Timestamp => "TIMESTAMP(3)",
        }
    }
}

fn whole<F>(name: &str, known: &[(&str, Type, F)]) -> Field {
    let fields = known.iter().map(|(field, kind, _)| Field::new(*field, kind.in_arrow(), true));
    Field::new(name, DataType::Struct(fields.collect()), true)
}

fn column(field: &Field) -> Result<Column, String> {
    let name = field.name().as_str();
    match name {
        "event_type" if field.data_type() == &DataType::Int32 => Ok(Column::EventType),
        "event_type" => Err(format!("the column `event_type` should be INT, but is {}", field.data_type())),
        "person" => structure(field, PERSON, StructFields::Person),
        "auction" => structure(field, AUCTION, StructFields::Auction),
        "bid" => structure(field, BID, StructFields::Bid),
        _ => Err(format!(
            "the column `{name}` is not one of this connector; it has `event_type`, `person`, `auction` and `bid`, and \
             others can be computed from them (`{name} AS …`)"
        )),
    }
}

fn structure<F: Copy + PartialEq>(
    column: &Field,
    known: &[(&str, Type, F)],
    of: impl Fn(Vec<F>) -> StructFields,
) -> Result<Column, String> {
    let name = column.name();
    let DataType::Struct(fields) = column.data_type() else {
        return Err(format!("the column `{name}` should be a ROW, but is {}", column.data_type()));
    };
    if !column.is_nullable() {
        return Err(format!("the column `{name}` is null in rows of other events: it cannot be NOT NULL"));
    }
    let mut found: Vec<F> = Vec::with_capacity(fields.len());
    for field in fields {
        let place = find(name, field, known)?;
        if found.contains(&place) {
            return Err(format!("the column `{name}` has the field `{}` twice", field.name()));
        }
        found.push(place);
    }
    Ok(Column::Struct(fields.clone(), of(found)))
}

fn find<F: Copy>(column: &str, field: &Field, known: &[(&str, Type, F)]) -> Result<F, String> {
    let name = field.name();
    let Some((_, kind, place)) = known.iter().find(|(known, ..)| known == name) else {
        let names: Vec<_> = known.iter().map(|(known, ..)| format!("`{known}`")).collect();
        return Err(format!("the column `{column}` has no field `{name}`; there are {}", names.join(", ")));
    };
    if field.data_type() != &kind.in_arrow() {
        let (wanted, is) = (kind.in_sql(), field.data_type());
        return Err(format!("the field `{name}` of the column `{column}` should be {wanted}, but is {is}"));
    }
    Ok(*place)
}
