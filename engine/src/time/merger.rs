//! Merges the watermarks of several channels into one clock.
//!
//! The merged watermark is the minimum over the channels that count: those that are active, aligned and not finished.
//!
//! ```text
//!             Idle                         a channel that comes back from Idle is not aligned: it may be behind what
//!   Aligned ───────► Idle                  was promised, so it holds nobody back until it has caught up
//!      ▲              │ Active
//!      │ caught up    ▼
//!      └────────── Unaligned     any ── EndOfInput ──► Finished (for ever)
//! ```
//!
//! A finished channel neither holds the clock back nor pushes it to the end of time while another one lives. (Flink 2.3
//! does the latter, FLINK-38477: the maximum over idle channels includes the end of time of a finished one, and all later
//! rows are late.) The end of time comes out only when every channel has sent it.
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

    /// Another channel has come, active and aligned at what was promised so far. It takes the place of a finished one, if
    /// there is one, so that a source that reads a million files one after the other merges a handful of channels.
    pub fn add_channel(&mut self) -> usize {
        let channel = Channel { watermark: self.merged, state: ChannelState::Aligned };
        match self.channels.iter().position(|of| of.state == ChannelState::Finished) {
            Some(free) => {
                self.channels[free] = channel;
                free
            }
            None => {
                self.channels.push(channel);
                self.channels.len() - 1
            }
        }
    }

    /// Channel `channel` promises `watermark`. One that is idle or finished promises nothing.
    pub fn on_watermark(&mut self, channel: usize, watermark: Watermark) -> Passed {
        let merged = self.merged;
        let of = &mut self.channels[channel];
        match of.state {
            ChannelState::Idle | ChannelState::Finished => return Passed::default(),
            ChannelState::Aligned | ChannelState::Unaligned => {}
        }
        if watermark <= of.watermark {
            return Passed::default();
        }
        of.watermark = watermark;
        if of.state == ChannelState::Unaligned && watermark >= merged {
            of.state = ChannelState::Aligned;
        }
        Passed { watermark: self.advance_to_minimum(), ..Passed::default() }
    }

    /// Channel `channel` falls silent or speaks again.
    pub fn on_status(&mut self, channel: usize, status: WatermarkStatus) -> Passed {
        match (self.channels[channel].state, status) {
            (ChannelState::Finished, _)
            | (ChannelState::Idle, WatermarkStatus::Idle)
            | (ChannelState::Aligned | ChannelState::Unaligned, WatermarkStatus::Active) => Passed::default(),
            (ChannelState::Aligned | ChannelState::Unaligned, WatermarkStatus::Idle) => self.fall_silent(channel),
            (ChannelState::Idle, WatermarkStatus::Active) => self.speak_again(channel),
        }
    }

    /// Channel `channel` has ended.
    pub fn on_end(&mut self, channel: usize) -> Passed {
        if self.channels[channel].state == ChannelState::Finished {
            return Passed::default();
        }
        let was_last_active = self.is_last_active(channel);
        self.channels[channel].state = ChannelState::Finished;
        if self.channels.iter().all(|of| of.state == ChannelState::Finished) {
            let watermark = self.advance(self.minimum_of_finished());
            return Passed { watermark, status: None, end: true };
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
        let status = (self.status == WatermarkStatus::Active).then_some(WatermarkStatus::Idle);
        self.status = WatermarkStatus::Idle;
        Passed { watermark, status, end: false }
    }

    fn speak_again(&mut self, channel: usize) -> Passed {
        let caught_up = self.channels[channel].watermark >= self.merged;
        self.channels[channel].state = if caught_up { ChannelState::Aligned } else { ChannelState::Unaligned };
        let status = (self.status == WatermarkStatus::Idle).then_some(WatermarkStatus::Active);
        self.status = WatermarkStatus::Active;
        Passed { status, ..Passed::default() }
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

    fn minimum_of_finished(&self) -> Watermark {
        self.channels.iter().map(|of| of.watermark).min().unwrap_or(Watermark::MIN)
    }

    fn advance(&mut self, to: Watermark) -> Option<Watermark> {
        (to > self.merged).then(|| {
            self.merged = to;
            to
        })
    }
}
