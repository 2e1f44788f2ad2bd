//! Ports for programs under test.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that an operating system gives to clients, so that no connection to elsewhere takes one in between.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// A port on loopback that nobody listens at, and that nobody else who asks here gets as long as this is kept.
///
/// Whoever starts a program with a port to listen at has to let it go first, and may start it again later. Meanwhile it
/// would be free for all, and a look whether the program is there would find somebody else's. So the number is held by
/// its UDP side, which ends with the process, whatever its end.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _held: UdpSocket,
}

impl Port {
    /// A port that is free.
    ///
    /// # Errors
    ///
    /// When all of them are taken.
    pub fn free() -> io::Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Processes that start together begin apart; what they hold keeps them so.
        let spread = std::process::id().wrapping_mul(31) % u32::from(COUNT);
        for _ in 0..COUNT {
            let next = (spread + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(COUNT);
            let number = FIRST + u16::try_from(next).unwrap_or_default();
            let Ok(held) = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)) else { continue };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _held: held });
            }
        }
        Err(io::Error::from(io::ErrorKind::AddrInUse))
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_while_it_is_held_and_can_be_listened_at() {
        let first = Port::free().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first.number())).unwrap();
        drop(listener);

        assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, first.number())).is_err(), "another process would get it, too");
        let others: Vec<_> = (0..50).map(|_| Port::free().unwrap()).collect();
        assert!(others.iter().all(|other| other.number() != first.number()));
    }
}
