//! Persons: each field by the event's number.

use super::tables::place;
use super::{EventKind, FIRST_PERSON_ID, GeneratorConfig, Person};

const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
/// The id, and a card's digits and blanks.
const FIXED_BYTES: usize = 8 + CARD_BYTES;
const CARD_BYTES: usize = 19;

impl GeneratorConfig {
    pub(in crate::nexmark) fn person_id(&self, number: u64) -> i64 {
        self.count_before(EventKind::Person, number).cast_signed() + FIRST_PERSON_ID
    }

    /// Its parts are to be written one after the other.
    pub(in crate::nexmark) fn person_name(&self, number: u64) -> [&'static str; 3] {
        let draw = self.streams.person_name_and_place.draw(number);
        let (first, rest) = draw.low().split(FIRST_NAMES.len() as u64);
        [FIRST_NAMES[place(first)], " ", LAST_NAMES[place(rest.below(LAST_NAMES.len() as u64))]]
    }

    /// Its parts are to be written one after the other.
    pub(in crate::nexmark) fn person_email(&self, number: u64) -> [&str; 4] {
        let draw = self.streams.person_email.draw(number);
        [self.tables().words(draw.low(), 7), "@", self.tables().words(draw.high(), 5), ".com"]
    }

    pub(in crate::nexmark) fn person_card(&self, number: u64) -> [u8; CARD_BYTES] {
        let draw = self.streams.person_card.draw(number);
        let mut card = [b' '; CARD_BYTES];
        for (eight, half) in [(0, draw.low()), (10, draw.high())] {
            let (left, rest) = half.split(10_000);
            for (start, group) in [(eight, left), (eight + 5, rest.below(10_000))] {
                for (digit, power) in card[start..start + 4].iter_mut().zip([1_000, 100, 10, 1]) {
                    *digit = b"0123456789"[place(group / power % 10)];
                }
            }
        }
        card
    }

    pub(in crate::nexmark) fn person_city(&self, number: u64) -> &'static str {
        CITIES[place(self.streams.person_name_and_place.draw(number).high().below(CITIES.len() as u64))]
    }

    pub(in crate::nexmark) fn person_state(&self, number: u64) -> &'static str {
        let (_city, rest) = self.streams.person_name_and_place.draw(number).high().split(CITIES.len() as u64);
        STATES[place(rest.below(STATES.len() as u64))]
    }

    pub(in crate::nexmark) fn person_extra(&self, number: u64) -> &str {
        let length = |parts: &[&str]| parts.iter().map(|part| part.len()).sum::<usize>();
        let size = FIXED_BYTES
            + length(&self.person_name(number))
            + length(&self.person_email(number))
            + self.person_city(number).len()
            + self.person_state(number).len();
        let draw = self.streams.person_extra.draw(number);
        self.tables().extra(draw.low(), draw.high(), size as u64, self.settings.person_size)
    }

    pub(super) fn person(&self, number: u64) -> Person {
        Person {
            id: self.person_id(number),
            name: self.person_name(number).concat(),
            email_address: self.person_email(number).concat(),
            credit_card: self.person_card(number).iter().copied().map(char::from).collect(),
            city: self.person_city(number).to_owned(),
            state: self.person_state(number).to_owned(),
            date_time: self.time(number),
            extra: self.person_extra(number).to_owned(),
        }
    }
}
