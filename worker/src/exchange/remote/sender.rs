//! The sending end of a channel to a task of another worker.

use std::sync::Arc;
use std::task::{Context, Poll};

use millstream_engine::element::StreamElement;
use millstream_engine::error::{Error, Result};

use super::Peer;
use super::encode::Encoder;
use super::ended::Ended;
use super::flow::{Room, Standing};
use super::frame::OutFrame;
use super::link::Link;

/// The sending end of a channel to another worker. It keeps to the contract of
/// [`ChannelSender`](crate::exchange::ChannelSender): what is sent waits while the reader does not take it, up to the same
/// bounds; when the reader is gone it is thrown away; dropping this before the end of input was sent tells the reader that
/// the producer failed.
///
/// Beyond that the connection can be lost. Then [`RemoteSender::poll_room`] is an error, and what is sent is thrown away.
#[derive(Debug)]
pub struct RemoteSender {
    link: Arc<Link>,
    number: u32,
    room: Arc<Room>,
    encoder: Encoder,
    /// The end of input was sent.
    ended: bool,
}

impl RemoteSender {
    pub(super) fn new(link: Arc<Link>, number: u32, room: Arc<Room>, frame_bytes_max: usize) -> Self {
        Self { link, number, room, encoder: Encoder::new(number, frame_bytes_max), ended: false }
    }

    /// One whose connection cannot be.
    pub(super) fn lost(link: Arc<Link>, why: &Arc<Ended>) -> Self {
        let room = Arc::new(Room::free());
        room.lose(why);
        Self::new(link, 0, room, 0)
    }

    /// Whether there is room. `Pending` wakes the task when there is; an error says that the connection is lost.
    pub fn poll_room(&self, waker_cx: &Context<'_>) -> Poll<Result<()>> {
        match self.room.standing() {
            Standing::Free | Standing::Unread => return Poll::Ready(Ok(())),
            Standing::Full if self.link.wait_for_room(self.number, waker_cx.waker()) => return Poll::Pending,
            Standing::Full | Standing::Lost => {}
        }
        Poll::Ready(self.failure().map_or(Ok(()), Err))
    }

    /// Puts an element into the channel, whether there is room or not. Fails on rows that cannot be sent at all.
    pub fn send(&mut self, element: StreamElement) -> Result<()> {
        match self.room.standing() {
            Standing::Free | Standing::Full => {}
            Standing::Unread | Standing::Lost => return Ok(()),
        }
        let (link, number) = (&self.link, self.number);
        match element {
            StreamElement::Batch(batch) => {
                self.encoder.encode(&batch, &mut |frame| link.send(number, frame))?;
            }
            StreamElement::Watermark(watermark) => link.send(number, OutFrame::watermark(number, watermark)),
            StreamElement::Status(status) => link.send(number, OutFrame::status(number, status)),
            StreamElement::Barrier(barrier) => link.send(number, OutFrame::barrier(number, barrier)),
            StreamElement::EndOfInput => {
                self.ended = true;
                link.send(number, OutFrame::end_of_input(number));
            }
        }
        Ok(())
    }

    /// Bytes that were put into it and not sent yet.
    pub fn waiting_bytes(&self) -> usize {
        self.link.waiting_bytes_of(self.number)
    }

    /// Why what is sent goes nowhere, if the connection is lost.
    pub fn failure(&self) -> Option<Error> {
        self.room.lost().map(|why| why.error(self.peer()))
    }

    /// Where it sends to.
    pub fn peer(&self) -> &Peer {
        self.link.peer()
    }
}

impl Drop for RemoteSender {
    fn drop(&mut self) {
        if !self.ended {
            self.link.send(self.number, OutFrame::close(self.number));
        }
    }
}
