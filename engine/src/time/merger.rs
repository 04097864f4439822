//! Merges the watermarks of several channels into one clock.
//!
//! The merged watermark is the minimum over the channels that count: those that are active, aligned and not finished.
//!
//! ```text
//!             Idle                         a channel that comes back from Idle is not aligned: it may be behind what
//!   Aligned ───────► Idle                  was promised, so it holds nobody back until it has caught up
//!      ▲              │ Active
//!      │ caught up    ▼
//!      └────────── Unaligned     any ── end of time ──► Over ── EndOfInput ──► Finished (for ever)
//! ```
//!
//! A channel that is over neither holds the clock back nor pushes it to the end of time while another one lives. (Flink 2.3
//! does the latter, FLINK-38477: the maximum over idle channels includes the end of time of a finished one, and all later
//! rows are late.) The end of time comes out only when every channel has sent it; it counts from an idle channel too, since a
//! source may end while it is silent.
//!
//! Pure: it is told what arrived and answers what to pass on.

use crate::element::{Watermark, WatermarkStatus};

/// What is to be passed on after an event, the watermark first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// The merged watermark, if it has advanced.
    pub watermark: Option<Watermark>,
    /// The merged status, if it has changed.
    pub status: Option<WatermarkStatus>,
    /// Whether the last channel has ended.
    pub end: bool,
}

/// The clock over a fixed number of channels.
#[derive(Debug, Clone)]
pub struct WatermarkMerger {
    channels: Vec<Channel>,
    merged: Watermark,
    status: WatermarkStatus,
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    watermark: Watermark,
    state: ChannelState,
}

/// See the picture in the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChannelState {
    /// It counts.
    Aligned,
    /// It is active again and has not caught up.
    Unaligned,
    /// It is silent.
    Idle,
    /// It has promised the end of time and only ends after this.
    Over,
    /// It has ended.
    Finished,
}

impl WatermarkMerger {
    /// A clock over `channels` active channels, all at [`Watermark::MIN`].
    pub fn new(channels: usize) -> Self {
        let channel = Channel { watermark: Watermark::MIN, state: ChannelState::Aligned };
        Self { channels: vec![channel; channels], merged: Watermark::MIN, status: WatermarkStatus::Active }
    }

    /// What was passed on last.
    pub fn watermark(&self) -> Watermark {
        self.merged
    }

    /// Goes on after a restore: nothing at or below `watermark` is passed on again.
    pub fn restore(&mut self, watermark: Watermark) {
        self.merged = watermark;
    }

    /// Another channel has come, active and aligned at what was promised so far: its number, and what is to be passed on
    /// before anything of it. It takes the place of a finished one, if there is one, so that a source that reads a million
    /// files one after the other merges a handful of channels.
    pub fn add_channel(&mut self) -> (usize, Passed) {
        let channel = Channel { watermark: self.merged, state: ChannelState::Aligned };
        let place = self.channels.iter().position(|of| of.state == ChannelState::Finished).unwrap_or_else(|| {
            self.channels.push(channel);
            self.channels.len() - 1
        });
        self.channels[place] = channel;
        (place, Passed { status: self.become_status(WatermarkStatus::Active), ..Passed::default() })
    }

    /// No channel is left, and another may come after a while: until then the clock's reader must not wait for it.
    pub fn wait_for_channels(&mut self) -> Passed {
        let waits = self.channels.iter().all(|of| of.state == ChannelState::Finished);
        let status = if waits { self.become_status(WatermarkStatus::Idle) } else { None };
        Passed { status, ..Passed::default() }
    }

    /// Channel `channel` promises `watermark`. One that is idle or finished promises nothing but the end of time.
    pub fn on_watermark(&mut self, channel: usize, watermark: Watermark) -> Passed {
        let state = self.channels[channel].state;
        match state {
            ChannelState::Over | ChannelState::Finished => return Passed::default(),
            ChannelState::Idle | ChannelState::Aligned | ChannelState::Unaligned if watermark == Watermark::MAX => {
                return self.be_over(channel, ChannelState::Over, Watermark::MAX);
            }
            ChannelState::Idle => return Passed::default(),
            ChannelState::Aligned | ChannelState::Unaligned => {}
        }
        let merged = self.merged;
        let of = &mut self.channels[channel];
        if watermark <= of.watermark {
            return Passed::default();
        }
        of.watermark = watermark;
        if watermark >= merged {
            of.state = ChannelState::Aligned;
        }
        Passed { watermark: self.advance_to_minimum(), ..Passed::default() }
    }

    /// Channel `channel` falls silent or speaks again.
    pub fn on_status(&mut self, channel: usize, status: WatermarkStatus) -> Passed {
        match (self.channels[channel].state, status) {
            (ChannelState::Over | ChannelState::Finished, _)
            | (ChannelState::Idle, WatermarkStatus::Idle)
            | (ChannelState::Aligned | ChannelState::Unaligned, WatermarkStatus::Active) => Passed::default(),
            (ChannelState::Aligned | ChannelState::Unaligned, WatermarkStatus::Idle) => self.fall_silent(channel),
            (ChannelState::Idle, WatermarkStatus::Active) => self.speak_again(channel),
        }
    }

    /// Channel `channel` has ended.
    pub fn on_end(&mut self, channel: usize) -> Passed {
        let Channel { watermark, state } = self.channels[channel];
        let passed = match state {
            ChannelState::Finished => return Passed::default(),
            ChannelState::Over => {
                self.channels[channel].state = ChannelState::Finished;
                Passed::default()
            }
            ChannelState::Aligned | ChannelState::Unaligned | ChannelState::Idle => {
                self.be_over(channel, ChannelState::Finished, watermark)
            }
        };
        Passed { end: self.channels.iter().all(|of| of.state == ChannelState::Finished), ..passed }
    }

    /// Nothing that counts comes on the channel any more.
    fn be_over(&mut self, channel: usize, state: ChannelState, watermark: Watermark) -> Passed {
        let was_last_active = self.is_last_active(channel);
        self.channels[channel] = Channel { watermark, state };
        if self.channels.iter().all(|of| matches!(of.state, ChannelState::Over | ChannelState::Finished)) {
            let least = self.channels.iter().map(|of| of.watermark).min();
            return Passed { watermark: least.and_then(|least| self.advance(least)), ..Passed::default() };
        }
        if was_last_active {
            return self.all_silent();
        }
        Passed { watermark: self.advance_to_minimum(), ..Passed::default() }
    }

    fn fall_silent(&mut self, channel: usize) -> Passed {
        let was_last_active = self.is_last_active(channel);
        self.channels[channel].state = ChannelState::Idle;
        if was_last_active {
            return self.all_silent();
        }
        Passed { watermark: self.advance_to_minimum(), ..Passed::default() }
    }

    /// No channel that lives is active: what any of them has promised holds, since none is there to contradict it.
    fn all_silent(&mut self) -> Passed {
        let greatest = self.channels.iter().filter(|of| of.state == ChannelState::Idle).map(|of| of.watermark).max();
        let watermark = greatest.and_then(|greatest| self.advance(greatest));
        Passed { watermark, status: self.become_status(WatermarkStatus::Idle), end: false }
    }

    fn speak_again(&mut self, channel: usize) -> Passed {
        let caught_up = self.channels[channel].watermark >= self.merged;
        self.channels[channel].state = if caught_up { ChannelState::Aligned } else { ChannelState::Unaligned };
        Passed { status: self.become_status(WatermarkStatus::Active), ..Passed::default() }
    }

    /// The merged status, if it changes.
    fn become_status(&mut self, status: WatermarkStatus) -> Option<WatermarkStatus> {
        (std::mem::replace(&mut self.status, status) != status).then_some(status)
    }

    fn is_last_active(&self, channel: usize) -> bool {
        let active = |of: &Channel| matches!(of.state, ChannelState::Aligned | ChannelState::Unaligned);
        active(&self.channels[channel]) && self.channels.iter().filter(|of| active(of)).count() == 1
    }

    fn advance_to_minimum(&mut self) -> Option<Watermark> {
        let minimum =
            self.channels.iter().filter(|of| of.state == ChannelState::Aligned).map(|of| of.watermark).min()?;
        self.advance(minimum)
    }

    fn advance(&mut self, to: Watermark) -> Option<Watermark> {
        (to > self.merged).then(|| {
            self.merged = to;
            to
        })
    }
}
