//! The columns of auctions.

use arrow::array::ArrayRef;

use super::kind::KindMaker;
use super::projection::AuctionField;
use crate::nexmark::generator::GeneratorConfig;

/// One field of all auctions of the block.
pub(super) fn column(maker: &mut KindMaker<'_>, field: AuctionField) -> ArrayRef {
    match field {
        AuctionField::Id => numbers(maker, GeneratorConfig::auction_id),
        AuctionField::ItemName => texts(maker, GeneratorConfig::auction_item_name),
        AuctionField::Description => texts(maker, GeneratorConfig::auction_description),
        AuctionField::InitialBid => numbers(maker, GeneratorConfig::auction_initial_bid),
        AuctionField::Reserve => numbers(maker, GeneratorConfig::auction_reserve),
        AuctionField::DateTime => maker.times(),
        AuctionField::Expires => {
            let times = maker.values(GeneratorConfig::auction_expires);
            maker.timestamps(times)
        }
        AuctionField::Seller => numbers(maker, GeneratorConfig::auction_seller),
        AuctionField::Category => numbers(maker, GeneratorConfig::auction_category),
        AuctionField::Extra => texts(maker, GeneratorConfig::auction_extra),
    }
}

fn numbers(maker: &mut KindMaker<'_>, value: impl Fn(&GeneratorConfig, u64) -> i64) -> ArrayRef {
    let values = maker.values(value);
    maker.numbers(values)
}

fn texts(maker: &mut KindMaker<'_>, text: impl Fn(&GeneratorConfig, u64) -> &str) -> ArrayRef {
    maker.texts(|config, number, texts| texts.extend_from_slice(text(config, number).as_bytes()))
}
