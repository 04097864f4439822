//! One event as a value. The names are those of the table's columns.

/// The kinds of events; the numbers are the column `event_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// Somebody registers.
    Person = 0,
    /// Somebody opens an auction.
    Auction = 1,
    /// Somebody bids.
    Bid = 2,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody registers.
    Person(Person),
    /// Somebody opens an auction.
    Auction(Auction),
    /// Somebody bids.
    Bid(Bid),
}

/// The column `person`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Counted up from 1,000.
    pub id: i64,
    /// First and last name.
    pub name: String,
    /// `emailAddress`.
    pub email_address: String,
    /// `creditCard`: four groups of four digits.
    pub credit_card: String,
    /// One of ten.
    pub city: String,
    /// One of six, by its two letters; the city need not lie in it.
    pub state: String,
    /// `dateTime` in milliseconds since 1970.
    pub date_time: i64,
    /// Filling.
    pub extra: String,
}

/// The column `auction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auction {
    /// Counted up from 1,000.
    pub id: i64,
    /// `itemName`.
    pub item_name: String,
    /// Up to 99 letters and blanks.
    pub description: String,
    /// `initialBid` in cents.
    pub initial_bid: i64,
    /// In cents, above the initial bid.
    pub reserve: i64,
    /// `dateTime` in milliseconds since 1970.
    pub date_time: i64,
    /// When it ends, in milliseconds since 1970.
    pub expires: i64,
    /// A person's id, perhaps of one who registers soon.
    pub seller: i64,
    /// 10 to 14.
    pub category: i64,
    /// Filling.
    pub extra: String,
}

/// The column `bid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bid {
    /// An auction's id, perhaps of one that opens soon.
    pub auction: i64,
    /// A person's id, perhaps of one who registers soon.
    pub bidder: i64,
    /// In cents.
    pub price: i64,
    /// Where the bidder came from: `Google`, `channel-4711`.
    pub channel: String,
    /// The page that was seen; most of those of numbered channels name it: `…&channel_id=…`.
    pub url: String,
    /// `dateTime` in milliseconds since 1970.
    pub date_time: i64,
    /// Filling.
    pub extra: String,
}

impl EventKind {
    /// All kinds, in the order of an epoch.
    pub const ALL: [Self; 3] = [Self::Person, Self::Auction, Self::Bid];

    /// The kind that `event_type = number` means.
    pub fn of(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| i64::from(kind.number()) == number)
    }

    /// The column `event_type`.
    pub fn number(self) -> i32 {
        match self {
            Self::Person => 0,
            Self::Auction => 1,
            Self::Bid => 2,
        }
    }
}

impl Event {
    /// Which kind it is.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Person(_) => EventKind::Person,
            Self::Auction(_) => EventKind::Auction,
            Self::Bid(_) => EventKind::Bid,
        }
    }
}
