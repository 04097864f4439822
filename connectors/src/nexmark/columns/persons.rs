//! The columns of persons.

use arrow::array::ArrayRef;

use super::kind::KindMaker;
use super::projection::PersonField;

/// One field of all persons of the block.
pub(super) fn column(maker: &mut KindMaker<'_>, field: PersonField) -> ArrayRef {
    match field {
        PersonField::Id => {
            let ids = maker.values(|config, number| config.person_id(number));
            maker.numbers(ids)
        }
        PersonField::Name => maker.texts(|config, number, text| append(text, &config.person_name(number))),
        PersonField::EmailAddress => maker.texts(|config, number, text| append(text, &config.person_email(number))),
        PersonField::CreditCard => {
            maker.texts(|config, number, text| text.extend_from_slice(&config.person_card(number)))
        }
        PersonField::City => {
            maker.texts(|config, number, text| text.extend_from_slice(config.person_city(number).as_bytes()))
        }
        PersonField::State => {
            maker.texts(|config, number, text| text.extend_from_slice(config.person_state(number).as_bytes()))
        }
        PersonField::DateTime => maker.times(),
        PersonField::Extra => {
            maker.texts(|config, number, text| text.extend_from_slice(config.person_extra(number).as_bytes()))
        }
    }
}

fn append(text: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        text.extend_from_slice(part.as_bytes());
    }
}
