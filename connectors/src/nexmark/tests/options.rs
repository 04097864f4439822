//! What a declaration may say.

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use expect_test::expect;

use super::harness::{project, table, table_of};
use crate::nexmark::{Nexmark, schema};
use crate::{CONNECTORS, Connector, TableColumn};

fn refusal(options: &[(&str, &str)]) -> String {
    Nexmark.table_source(&table(options)).map(|_| "it is taken".to_owned()).unwrap_or_else(|error| error.to_string())
}

#[test]
fn all_options_of_the_official_connector_are_taken() {
    let options = [
        ("rate.shape", "sine"),
        ("rate.period", "600 s"),
        ("rate.limited", "true"),
        ("first-event.rate", "10000000"),
        ("next-event.rate", "10000000"),
        ("person.avg-size", "200b"),
        ("auction.avg-size", "500b"),
        ("bid.avg-size", "100b"),
        ("person.proportion", "1"),
        ("auction.proportion", "3"),
        ("bid.proportion", "46"),
        ("bid.hot-ratio.auctions", "2"),
        ("bid.hot-ratio.bidders", "4"),
        ("auction.hot-ratio.sellers", "4"),
        ("events.num", "100000000"),
        ("keep-alive", "false"),
        ("stop-at", "-1"),
        ("max-emit-speed", "false"),
        ("seed", "18446744073709551615"),
        ("splits", "16"),
        ("base-time", "2024-02-29T23:59:59.5+01:00"),
    ];
    assert_eq!(refusal(&options), "it is taken");
    for option in options {
        if option.0 != "next-event.rate" {
            assert_eq!(refusal(&[option]), "it is taken");
        }
    }
    assert_eq!(refusal(&[("base-time", "1700000000000")]), "it is taken");
}

#[test]
fn what_cannot_be_is_refused_by_the_name_of_the_option() {
    let bad: &[&[(&str, &str)]] = &[
        &[("event.num", "1")],
        &[("events.num", "-1")],
        &[("events.num", "many")],
        &[("events.num", "9007199254740993")],
        &[("first-event.rate", "0")],
        &[("first-event.rate", "4294967296")],
        &[("next-event.rate", "20000")],
        &[("rate.shape", "round")],
        &[("rate.period", "soon")],
        &[("rate.limited", "true"), ("max-emit-speed", "true")],
        &[("bid.hot-ratio.auctions", "0")],
        &[("person.proportion", "-1")],
        &[("person.proportion", "0"), ("auction.proportion", "0"), ("bid.proportion", "0")],
        &[("bid.proportion", "10000")],
        &[("bid.avg-size", "1 mb")],
        &[("bid.avg-size", "big")],
        &[("splits", "0")],
        &[("splits", "5000")],
        &[("seed", "x")],
        &[("base-time", "yesterday")],
        &[("base-time", "-1")],
    ];
    let refusals: Vec<_> = bad.iter().map(|options| refusal(options)).collect();
    expect![[r#"
        table `datagen`: the option 'event.num' is not known here; did you mean 'events.num'?
        table `datagen`: the option 'events.num' = '-1' cannot be used: it should be a number up to 9007199254740992, or 0 for a stream without end
        table `datagen`: the option 'events.num' = 'many' cannot be used: it should be a whole number (invalid digit found in string)
        table `datagen`: the option 'events.num' = '9007199254740993' cannot be used: it should be a number up to 9007199254740992, or 0 for a stream without end
        table `datagen`: the option 'first-event.rate' = '0' cannot be used: it should be a whole number from 1 to 4294967295
        table `datagen`: the option 'first-event.rate' = '4294967296' cannot be used: it should be a whole number from 1 to 4294967295 (number too large to fit in target type)
        table `datagen`: the option 'next-event.rate' = '20000' cannot be used: a rate that changes is not supported: it should be '10000', as 'first-event.rate' is
        table `datagen`: the option 'rate.shape' = 'round' cannot be used: it should be SQUARE or SINE
        table `datagen`: the option 'rate.period' = 'soon' cannot be used: it should be a duration such as '5 s', '1 min' or '200 ms'
        table `datagen`: the options 'rate.limited' = 'true' and 'max-emit-speed' = 'true' contradict each other: remove one of them
        table `datagen`: the option 'bid.hot-ratio.auctions' = '0' cannot be used: it should be a whole number from 1 to 4294967295
        table `datagen`: the option 'person.proportion' = '-1' cannot be used: it should be a whole number from 0 to 4294967295 (invalid digit found in string)
        table `datagen`: the options 'person.proportion', 'auction.proportion' and 'bid.proportion' are all 0: give one of them a number above 0
        table `datagen`: the options 'person.proportion', 'auction.proportion' and 'bid.proportion' add up to 10004, which is more than 8900: divide them by a common factor
        table `datagen`: the options 'person.avg-size', 'auction.avg-size' and 'bid.avg-size' make an epoch of 50 events 48236196 bytes large, which is more than 16777216: choose smaller sizes or proportions
        table `datagen`: the option 'bid.avg-size' = 'big' cannot be used: it should be a size such as '128 mb' or '1 kb'
        table `datagen`: the option 'splits' = '0' cannot be used: it should be a whole number from 1 to 4096
        table `datagen`: the option 'splits' = '5000' cannot be used: it should be a whole number from 1 to 4096
        table `datagen`: the option 'seed' = 'x' cannot be used: it should be a whole number from 0 on (invalid digit found in string)
        table `datagen`: the option 'base-time' = 'yesterday' cannot be used: it should be a time from 1970 to 9999 such as '2015-07-15T00:00:00Z', or its milliseconds since 1970
        table `datagen`: the option 'base-time' = '-1' cannot be used: it should be a time from 1970 to 9999 such as '2015-07-15T00:00:00Z', or its milliseconds since 1970"#]].assert_eq(&refusals.join("\n"));
}

#[test]
fn columns_that_the_stream_does_not_have_are_refused() {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    let row = |name: &str, fields: Vec<Field>| field(name, DataType::Struct(fields.into()));
    let bad = [
        field("eventType", DataType::Int32),
        field("event_type", DataType::Int64),
        field("bid", DataType::Utf8),
        row("bid", vec![field("prize", DataType::Int64)]),
        row("bid", vec![field("price", DataType::Float64)]),
        row("bid", vec![field("dateTime", DataType::Timestamp(TimeUnit::Microsecond, None))]),
        row("person", vec![field("id", DataType::Int64), field("id", DataType::Int64)]),
        row("auction", vec![field("id", DataType::Int64)]).with_nullable(false),
    ];
    let refusals: Vec<_> = bad
        .into_iter()
        .map(|field| Nexmark.table_source(&table_of(&Schema::new(vec![field]), &[])).unwrap_err().to_string())
        .collect();
    expect![[r#"
        table `datagen`: the column `eventType` is not one of this connector; it has `event_type`, `person`, `auction` and `bid`, and others can be computed from them (`eventType AS …`)
        table `datagen`: the column `event_type` should be INT, but is Int64
        table `datagen`: the column `bid` should be a ROW, but is Utf8
        table `datagen`: the column `bid` has no field `prize`; there are `auction`, `bidder`, `price`, `channel`, `url`, `dateTime`, `extra`
        table `datagen`: the field `price` of the column `bid` should be BIGINT, but is Float64
        table `datagen`: the field `dateTime` of the column `bid` should be TIMESTAMP(3), but is Timestamp(µs)
        table `datagen`: the column `person` has the field `id` twice
        table `datagen`: the column `auction` is null in rows of other events: it cannot be NOT NULL"#]].assert_eq(&refusals.join("\n"));
}

#[test]
fn a_table_may_have_some_of_the_columns_and_fields() {
    let columns = project("bid.price bid.auction event_type");
    assert!(Nexmark.table_source(&table_of(&columns, &[])).is_ok());
    let mut with_metadata = table(&[]);
    with_metadata.columns.push(TableColumn { field: schema().field(0).clone(), metadata: Some("offset".to_owned()) });
    expect!["table `datagen`: the column `event_type` is METADATA, and this connector has none"]
        .assert_eq(&Nexmark.table_source(&with_metadata).unwrap_err().to_string());
}

#[test]
fn the_connector_is_listed_and_only_reads() {
    assert!(CONNECTORS.iter().any(|connector| connector.name() == "nexmark"));
    expect![
        "table `datagen`: the connector 'nexmark' cannot be written to, it is only a source; use the table after FROM"
    ]
    .assert_eq(&Nexmark.sink(&table(&[])).unwrap_err().to_string());
}
