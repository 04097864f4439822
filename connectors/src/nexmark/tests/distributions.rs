//! That the stream is the benchmark's: kinds, ids, hot ones, prices, texts and sizes, for the default seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use expect_test::expect;

use crate::nexmark::generator::{Auction, Bid, Event, GeneratorConfig, Person, Settings};

const EVENTS: u64 = 500_000;

static STREAM: LazyLock<Stream> = LazyLock::new(Stream::new);

struct Stream {
    config: GeneratorConfig,
    persons: Vec<(u64, Person)>,
    auctions: Vec<(u64, Auction)>,
    bids: Vec<(u64, Bid)>,
}

impl Stream {
    fn new() -> Self {
        let config = GeneratorConfig::new(Settings::default()).unwrap();
        let (mut persons, mut auctions, mut bids) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..EVENTS {
            match config.event(number) {
                Event::Person(person) => persons.push((number, person)),
                Event::Auction(auction) => auctions.push((number, auction)),
                Event::Bid(bid) => bids.push((number, bid)),
            }
        }
        Self { config, persons, auctions, bids }
    }
}

/// Asserts that `part` of `whole` is the share `expected`, give or take `tolerance` of it.
#[track_caller]
fn assert_share(part: usize, whole: usize, expected: f64, tolerance: f64) {
    let share = part as f64 / whole as f64;
    assert!((share / expected - 1.0).abs() < tolerance, "{part} of {whole} are {share}, not {expected}");
}

#[track_caller]
fn assert_mean(values: impl Iterator<Item = i64>, expected: f64, tolerance: f64) {
    let values: Vec<f64> = values.map(|value| value as f64).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    assert!((mean / expected - 1.0).abs() < tolerance, "the mean is {mean}, not {expected}");
}

#[test]
fn one_person_three_auctions_and_46_bids_make_an_epoch() {
    let Stream { persons, auctions, bids, .. } = &*STREAM;
    assert_eq!((persons.len(), auctions.len(), bids.len()), (10_000, 30_000, 460_000));
    assert!(persons.iter().all(|(number, _)| number % 50 == 0));
    assert!(auctions.iter().all(|(number, _)| (1..4).contains(&(number % 50))));
}

#[test]
fn ids_are_counted_from_1000() {
    let Stream { persons, auctions, .. } = &*STREAM;
    assert!((1_000..).zip(persons).all(|(id, (_, person))| person.id == id));
    assert!((1_000..).zip(auctions).all(|(id, (_, auction))| auction.id == id));
}

#[test]
fn time_goes_by_the_rate() {
    let Stream { config, persons, bids, .. } = &*STREAM;
    assert_eq!(config.time(0), 1_436_918_400_000);
    assert_eq!(config.time(123_456), 1_436_918_400_000 + 12_345);
    assert!(bids.iter().all(|(number, bid)| bid.date_time == config.time(*number)));
    assert!(persons.iter().all(|(number, person)| person.date_time == config.time(*number)));
    assert!(bids.is_sorted_by_key(|(_, bid)| bid.date_time));
}

#[test]
fn half_of_the_bids_are_for_the_hot_auction_and_three_quarters_by_the_hot_bidder() {
    let Stream { bids, .. } = &*STREAM;
    let hot_auction = |number: u64| ((number / 50) as i64 * 3 + 2) / 100 * 100 + 1_000;
    let hot_bidder = |number: u64| (number / 50) as i64 / 100 * 100 + 1 + 1_000;
    let for_hot = bids.iter().filter(|(number, bid)| bid.auction == hot_auction(*number)).count();
    let by_hot = bids.iter().filter(|(number, bid)| bid.bidder == hot_bidder(*number)).count();
    assert_share(for_hot, bids.len(), 0.5 + 0.5 / 111.0, 0.005);
    assert_share(by_hot, bids.len(), 0.75 + 0.25 / 1_010.0, 0.005);
}

#[test]
fn other_bids_are_spread_over_auctions_in_flight_and_active_people() {
    let Stream { bids, .. } = &*STREAM;
    let (mut auctions, mut bidders) = (BTreeMap::new(), BTreeMap::new());
    for (number, bid) in bids {
        let epoch = (number / 50) as i64;
        let (auction, person) = (bid.auction - 1_000, bid.bidder - 1_000);
        if epoch >= 1_000 && auction % 100 != 0 {
            *auctions.entry(epoch * 3 + 2 - auction).or_insert(0usize) += 1;
        }
        if epoch >= 1_000 && person % 100 != 1 {
            *bidders.entry(epoch - person).or_insert(0usize) += 1;
        }
    }
    // From ten that do not exist yet back to the hundredth, or the thousandth.
    assert_eq!((auctions.keys().min(), auctions.keys().max()), (Some(&-10), Some(&100)));
    assert_eq!((bidders.keys().min(), bidders.keys().max()), (Some(&-10), Some(&999)));
    for counts in [&auctions, &bidders] {
        let mean = counts.values().sum::<usize>() as f64 / counts.len() as f64;
        assert!(counts.values().all(|&count| (count as f64 / mean - 1.0).abs() < 0.55), "{counts:?}");
    }
}

#[test]
fn early_bids_are_for_what_there_is() {
    let Stream { bids, .. } = &*STREAM;
    for (number, bid) in bids.iter().take(2_000) {
        let epoch = (number / 50) as i64;
        assert!((0..=epoch * 3 + 2 + 10).contains(&(bid.auction - 1_000)), "event {number}: {bid:?}");
        assert!((0..=epoch + 10).contains(&(bid.bidder - 1_000)), "event {number}: {bid:?}");
    }
}

#[test]
fn every_order_of_magnitude_of_prices_is_as_frequent() {
    let Stream { bids, auctions, .. } = &*STREAM;
    for decade in 2..8u32 {
        let range = 10i64.pow(decade)..10i64.pow(decade + 1);
        let bids_in = bids.iter().filter(|(_, bid)| range.contains(&bid.price)).count();
        let auctions_in = auctions.iter().filter(|(_, auction)| range.contains(&auction.initial_bid)).count();
        assert_share(bids_in, bids.len(), 1.0 / 6.0, 0.02);
        assert_share(auctions_in, auctions.len(), 1.0 / 6.0, 0.05);
    }
    assert!(bids.iter().all(|(_, bid)| (100..=100_000_000).contains(&bid.price)));
    assert!(auctions.iter().all(|(_, auction)| auction.reserve >= auction.initial_bid + 100));
}

#[test]
fn channels_and_urls_are_what_queries_21_and_22_look_for() {
    let Stream { bids, .. } = &*STREAM;
    let hot = ["Google", "Facebook", "Baidu", "Apple"];
    let mut urls: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut hot_bids, mut named) = (0, 0);
    for (_, bid) in bids {
        assert_eq!(*urls.entry(&bid.channel).or_insert(&bid.url), bid.url, "a channel has one url");
        let parts: Vec<&str> = bid.url.split('/').collect();
        assert_eq!((parts[0], parts[1], parts[2], parts.len()), ("https:", "", "www.nexmark.com", 7), "{}", bid.url);
        assert!(parts[3..6].iter().all(|folder| (3..=4).contains(&folder.len())), "{}", bid.url);
        if hot.contains(&bid.channel.as_str()) {
            hot_bids += 1;
        } else {
            let number: u32 = bid.channel.strip_prefix("channel-").unwrap().parse().unwrap();
            let id = bid.url.split_once("&channel_id=").map(|(_, id)| id.parse::<u32>().unwrap());
            assert!(id.is_none_or(|id| id == (number.reverse_bits() as i32).unsigned_abs()));
            named += usize::from(id.is_some());
        }
    }
    assert_share(hot_bids, bids.len(), 0.5, 0.01);
    assert_share(named, bids.len() - hot_bids, 0.9, 0.02);
    assert_eq!(urls.len(), 10_004);
}

#[test]
fn sizes_are_what_the_options_say_on_average() {
    let Stream { persons, auctions, bids, .. } = &*STREAM;
    assert_mean(bids.iter().map(|(_, bid)| 32 + bid.extra.len() as i64), 100.0, 0.01);
    assert!(bids.iter().all(|(_, bid)| (54..82).contains(&bid.extra.len())));
    assert_mean(
        persons.iter().map(|(_, person)| {
            let texts =
                [&person.name, &person.email_address, &person.credit_card, &person.city, &person.state, &person.extra];
            8 + texts.iter().map(|text| text.len() as i64).sum::<i64>()
        }),
        200.0,
        0.01,
    );
    assert_mean(
        auctions.iter().map(|(_, auction)| {
            48 + (auction.item_name.len() + auction.description.len() + auction.extra.len()) as i64
        }),
        500.0,
        0.01,
    );
}

#[test]
fn extras_are_letters_each_as_frequent() {
    let Stream { bids, .. } = &*STREAM;
    let mut letters = [0usize; 26];
    for (_, bid) in bids {
        for letter in bid.extra.bytes() {
            letters[usize::from(letter - b'a')] += 1;
        }
    }
    let all = letters.iter().sum();
    letters.iter().for_each(|&count| assert_share(count, all, 1.0 / 26.0, 0.03));
    let distinct: BTreeSet<_> = bids.iter().map(|(_, bid)| &bid.extra).collect();
    assert!(distinct.len() > 14_000, "{} different ones", distinct.len()); // Of the tape's 16,376.
}

#[test]
fn auctions_are_by_hot_sellers_and_last_as_long_as_a_hundred_take_to_open() {
    let Stream { auctions, .. } = &*STREAM;
    let hot = |number: u64| (number / 50) as i64 / 100 * 100 + 1_000;
    let by_hot = auctions.iter().filter(|(number, auction)| auction.seller == hot(*number)).count();
    assert_share(by_hot, auctions.len(), 0.75, 0.02);
    assert_mean(auctions.iter().map(|(_, auction)| auction.expires - auction.date_time), 167.0, 0.02);
    for category in 10..15 {
        let of_category = auctions.iter().filter(|(_, auction)| auction.category == category).count();
        assert_share(of_category, auctions.len(), 0.2, 0.03);
    }
    assert!(auctions.iter().all(|(_, auction)| (10..15).contains(&auction.category)));
    assert!(auctions.iter().all(|(_, auction)| auction.item_name.len() < 20 && auction.description.len() < 100));
}

#[test]
fn persons_live_in_ten_cities_and_six_states() {
    let Stream { persons, .. } = &*STREAM;
    let counted = |value: fn(&Person) -> &str| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        persons.iter().for_each(|(_, person)| *counts.entry(value(person).to_owned()).or_default() += 1);
        counts
    };
    for (value, kinds) in [
        (counted(|person| &person.city), 10),
        (counted(|person| &person.state), 6),
        (counted(|person| &person.name), 99),
    ] {
        assert_eq!(value.len(), kinds);
        value.values().for_each(|&count| assert_share(count, persons.len(), 1.0 / kinds as f64, 0.35));
    }
    for (_, person) in persons {
        let groups: Vec<&str> = person.credit_card.split(' ').collect();
        assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 4 && group.parse::<u16>().is_ok()));
        assert!(person.email_address.contains('@') && person.email_address.ends_with(".com"));
    }
}

#[test]
fn another_seed_is_another_stream_of_the_same_kind() {
    let event = |seed, number| GeneratorConfig::new(Settings { seed, ..Settings::default() }).unwrap().event(number);
    for number in [0, 1, 49, 1_000_000] {
        assert_eq!(event(1, number), event(1, number));
        assert_ne!(event(1, number), event(2, number));
        assert_eq!(event(1, number).kind(), event(2, number).kind());
    }
}

/// What a seed means may never change: results that were written down would no longer be found again.
#[test]
fn the_default_seed_always_gives_these_events() {
    let config = GeneratorConfig::new(Settings::default()).unwrap();
    let events: Vec<_> = [0, 1, 4, 8_950, 8_951, 9_000_049].map(|number| (number, config.event(number))).to_vec();
    expect![[r#"
        [
            (
                0,
                Person(
                    Person {
                        id: 1000,
                        name: "Sarah Shultz",
                        email_address: "g q@uxj.com",
                        credit_card: "3268 3512 0080 1927",
                        city: "Kent",
                        state: "WY",
                        date_time: 1436918400000,
                        extra: "pksnrlkfcybfrecuafdjruepnttxvhjeimcenruauxmwoipaipvabowzjrgqeoqzxsefyzuypisaxdsytkjnkyqiovrbkpfxisjhctuxpnkmbxokqukpaublobafvrphryc",
                    },
                ),
            ),
            (
                1,
                Auction(
                    Auction {
                        id: 1000,
                        item_name: "dnlqajegijhtxgfafnj",
                        description: "suolpb iuincwfjsldc  osvayquent",
                        initial_bid: 762460,
                        reserve: 784777,
                        date_time: 1436918400000,
                        expires: 1436918400174,
                        seller: 1000,
                        category: 11,
                        extra: "ijjdbuohpqjimefreexzfbdxbugnytrmvxtixtxanppszyrflcgnpiiccpgyfghtpvnuzfdjpwonxfuzqejnixbzvgoliektgjbludlyafqgrdxqlsvvufrgorryijiksdpvdcesqdxeigjgonnxcvcihsjnitffxoimguwjutkwooxyupoglvinjvltqbjsaowiutapqfikukccwggvypntfdtjjfvvthoordjuzyvqukfbnucwrwcmunqtazcqjeittcrilrfxqwarvqhjetcklgpiftnsaygbazusdyrqnjuykvbytxkkchcoooaoyugfelytdncectlmljtliiiorumzkfbmnpeljirwgwkqotdnfvfklecd",
                    },
                ),
            ),
            (
                4,
                Bid(
                    Bid {
                        auction: 1011,
                        bidder: 1001,
                        price: 53668,
                        channel: "Google",
                        url: "https://www.nexmark.com/ccm_/tbls/whb/item.htm?query=1",
                        date_time: 1436918400000,
                        extra: "mxbbwxnexpmlpmsvwmhxfrdbhxkzjydiidwpwsvmpmvthkgvvmtdaoaiimjplbhmtxmhwasmlvxuspy",
                    },
                ),
            ),
            (
                8950,
                Person(
                    Person {
                        id: 1179,
                        name: "Kate Jones",
                        email_address: "wpfhf@omp.com",
                        credit_card: "1233 6994 4948 6514",
                        city: "Phoenix",
                        state: "WA",
                        date_time: 1436918400895,
                        extra: "awrqujulxkgihuqvxlzkivmwncpbwgsigvovyvnzxnximegrxmnucxsqvqrtfuzxdyuzyyoseiofpyxntmihfzmmyiyjhmrvfugcrrgusoumsotqymyrkgywqurlfjclmbwxwlhjjldswbssfyyhlmpqwvufsm",
                    },
                ),
            ),
            (
                8951,
                Auction(
                    Auction {
                        id: 1537,
                        item_name: "csxgyradxi",
                        description: "xw e eejhvurpvm tbspjtdlzfvly",
                        initial_bid: 49006,
                        reserve: 92515,
                        date_time: 1436918400895,
                        expires: 1436918401221,
                        seller: 1054,
                        category: 14,
                        extra: "ryprtoaeluarwwjvtgeawatuooywwnhxjminwpwrywnzcasvcyxoqoygxcigwlisbpxkdvqpkxjmkfburjebmzoufbllnahsjuokptkihsjmaexykfnnwsdpdcnxslgjyuydsfoldzblefpyognxbnkgaeukwqbtkxuddgpxxtgjjybmclcrcnlelnqaabnepgubacwxbjjuyybvcecwuokrsyeofdkpidkdsqtavuzepnrtnufzrpwzupbavgamuuuekyshilslyxzbafhjponzbksztgarjtojyyxftlzoecgsyoluivbxveoxmkzspwddnquumhsmcqsuyfnm",
                    },
                ),
            ),
            (
                9000049,
                Bid(
                    Bid {
                        auction: 540911,
                        bidder: 181001,
                        price: 23339,
                        channel: "channel-3999",
                        url: "https://www.nexmark.com/bkb/yri/lkl/item.htm?query=1&channel_id=101711872",
                        date_time: 1436919300004,
                        extra: "pkuoimfrryzbjnfcfjorwgrrrpemowvcopoltyrogwlnzxnenxnnswjnavkgsvobadlltrnygsoexezv",
                    },
                ),
            ),
        ]
    "#]].assert_debug_eq(&events);
}
