//! What the system tells of a datagram beside its data, and what it can be told with one: traffic
//! class, hop limit, addresses of this machine, times; ip(7), ipv6(7), socket(7), udp(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::c_int;

use crate::ancillary::{Control, Full, Message};
use crate::{BorrowedFd, Errno, Result, option};
use names::*;

/// Names that not every system's headers have, or not with the same meaning.
#[cfg(linux)]
mod names {
    pub(super) use libc::{
        IP_PKTINFO, IP_RECVTOS, IP_RECVTTL, IPV6_HOPLIMIT, IPV6_PKTINFO, IPV6_RECVHOPLIMIT,
        IPV6_RECVPKTINFO, IPV6_RECVTCLASS, IPV6_TCLASS, SO_RXQ_OVFL, SO_TIMESTAMPING, SOL_UDP,
        UDP_GRO, UDP_SEGMENT,
    };
    pub(super) const TIMESTAMP_OPTION: libc::c_int = libc::SO_TIMESTAMPNS;
    /// In seconds and nanoseconds; the second where times have 64 bits on 32-bit machines.
    pub(super) const TIMESPEC: [libc::c_int; 2] = [libc::SCM_TIMESTAMPNS, 64];
    /// In seconds and microseconds, likewise.
    pub(super) const TIMEVAL: [libc::c_int; 2] = [libc::SO_TIMESTAMP, 63];
    /// Three times: of the system, none, of the device; likewise.
    pub(super) const TIMESTAMPING: [libc::c_int; 2] = [libc::SCM_TIMESTAMPING, 65];
    pub(super) const HARDWARE: libc::c_int =
        (libc::SOF_TIMESTAMPING_RX_HARDWARE | libc::SOF_TIMESTAMPING_RAW_HARDWARE) as libc::c_int;
    pub(super) const SCM_TXTIME: libc::c_int = libc::SCM_TXTIME;
}

/// What the BSDs have; -1 is the number of no option.
#[cfg(not(linux))]
mod names {
    #[cfg(target_vendor = "apple")]
    pub(super) use libc::IP_PKTINFO;
    use libc::c_int;
    #[cfg(not(target_vendor = "apple"))]
    pub(super) const IP_PKTINFO: c_int = -1;
    #[cfg(target_vendor = "apple")]
    pub(super) use libc::IP_RECVTOS;
    pub(super) use libc::{
        IP_RECVTTL, IPV6_HOPLIMIT, IPV6_PKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVPKTINFO,
        IPV6_RECVTCLASS, IPV6_TCLASS,
    };
    #[cfg(not(target_vendor = "apple"))]
    pub(super) const IP_RECVTOS: c_int = -1;
    pub(super) const SO_RXQ_OVFL: c_int = -1;
    pub(super) const SO_TIMESTAMPING: c_int = -1;
    pub(super) const SOL_UDP: c_int = 17;
    pub(super) const UDP_GRO: c_int = -1;
    pub(super) const UDP_SEGMENT: c_int = -1;
    pub(super) const TIMESTAMP_OPTION: c_int = libc::SO_TIMESTAMP;
    pub(super) const TIMESPEC: [c_int; 2] = [-1, -1];
    pub(super) const TIMEVAL: [c_int; 2] = [libc::SCM_TIMESTAMP, -1];
    pub(super) const TIMESTAMPING: [c_int; 2] = [-1, -1];
    pub(super) const HARDWARE: c_int = 0;
    pub(super) const SCM_TXTIME: c_int = -1;
}

/// What a socket can be asked to tell of each datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    TrafficClass,
    HopLimit,
    Destination,
    Timestamp,
    HardwareTimestamp,
    Drops,
}

/// Has a socket tell an item of each datagram, or no longer.
pub fn tell(fd: BorrowedFd<'_>, family: c_int, item: Item, on: bool) -> Result<()> {
    let (v4, v6) = match item {
        Item::TrafficClass => (IP_RECVTOS, IPV6_RECVTCLASS),
        Item::HopLimit => (IP_RECVTTL, IPV6_RECVHOPLIMIT),
        Item::Destination => (IP_PKTINFO, IPV6_RECVPKTINFO),
        Item::Timestamp => return put(fd, libc::SOL_SOCKET, TIMESTAMP_OPTION, on.into()),
        Item::Drops => return put(fd, libc::SOL_SOCKET, SO_RXQ_OVFL, on.into()),
        Item::HardwareTimestamp => {
            // The other bits are the program's.
            let bits: c_int = option::get(fd, libc::SOL_SOCKET, SO_TIMESTAMPING)?;
            let bits = bits & !HARDWARE | if on { HARDWARE } else { 0 };
            return put(fd, libc::SOL_SOCKET, SO_TIMESTAMPING, bits);
        }
    };
    match family {
        libc::AF_INET => put(fd, libc::IPPROTO_IP, v4, on.into()),
        libc::AF_INET6 => {
            put(fd, libc::IPPROTO_IPV6, v6, on.into())?;
            // The same for what comes over IPv4. Where to it was sent is told as of IPv6 anyway.
            if item != Item::Destination {
                let _ = put(fd, libc::IPPROTO_IP, v4, on.into());
            }
            Ok(())
        }
        _ => Err(Errno::OPNOTSUPP),
    }
}

fn put(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> Result<()> {
    if name < 0 {
        return Err(Errno::NOPROTOOPT);
    }
    option::put(fd, level, name, value)
}

/// What was told of a received datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The differentiated services and, in the last two bits, explicit congestion notification.
    pub traffic_class: Option<u8>,
    pub hop_limit: Option<u8>,
    pub destination: Option<IpAddr>,
    pub interface: Option<u32>,
    /// When the system has received it, in nanoseconds since the epoch.
    pub timestamp: Option<i64>,
    /// The same of the device, by its own clock.
    pub hardware_timestamp: Option<i64>,
    /// How many datagrams the socket has had no room for so far.
    pub drops: Option<u32>,
    /// The length of those that the kernel has joined.
    pub segment_size: Option<u16>,
}

impl Info {
    /// Takes what a control message tells; false where it is of none of these kinds, or cut.
    pub fn take(&mut self, message: &Message<'_>) -> bool {
        if !message.complete {
            return false;
        }
        match message.level {
            libc::IPPROTO_IP => self.take_v4(message.kind, message.data),
            libc::IPPROTO_IPV6 => self.take_v6(message.kind, message.data),
            libc::SOL_SOCKET => self.take_general(message.kind, message.data),
            SOL_UDP if message.kind == UDP_GRO => note(&mut self.segment_size, || {
                u16::try_from(number(message.data)?).ok()
            }),
            _ => false,
        }
    }

    fn take_v4(&mut self, kind: c_int, data: &[u8]) -> bool {
        // The BSDs name the message as the option.
        if kind == libc::IP_TOS || kind == IP_RECVTOS {
            note(&mut self.traffic_class, || small(data))
        } else if kind == libc::IP_TTL || kind == IP_RECVTTL {
            note(&mut self.hop_limit, || small(data))
        } else if kind == IP_PKTINFO {
            // struct in_pktinfo: the index, the address of this machine, that in the header.
            let Some((index, addresses)) = data.split_first_chunk() else {
                return false;
            };
            let Some(Ok(octets)) = addresses.get(4..8).map(<[u8; 4]>::try_from) else {
                return false;
            };
            self.destination = Some(Ipv4Addr::from(octets).into());
            self.interface = Some(u32::from_ne_bytes(*index));
            true
        } else {
            false
        }
    }

    fn take_v6(&mut self, kind: c_int, data: &[u8]) -> bool {
        if kind == IPV6_TCLASS {
            note(&mut self.traffic_class, || small(data))
        } else if kind == IPV6_HOPLIMIT {
            note(&mut self.hop_limit, || small(data))
        } else if kind == IPV6_PKTINFO {
            // struct in6_pktinfo: the address in the header, the index.
            let Some((octets, index)) = data.split_first_chunk::<16>() else {
                return false;
            };
            let Some(index) = index.first_chunk() else {
                return false;
            };
            self.destination = Some(Ipv6Addr::from(*octets).into());
            self.interface = Some(u32::from_ne_bytes(*index));
            true
        } else {
            false
        }
    }

    fn take_general(&mut self, kind: c_int, data: &[u8]) -> bool {
        if TIMESPEC.contains(&kind) {
            note(&mut self.timestamp, || times(data, 1, 1)[0])
        } else if TIMEVAL.contains(&kind) {
            // The finer one counts where a program has asked for both.
            let known = self.timestamp;
            note(&mut self.timestamp, || known.or(times(data, 1, 1000)[0]))
        } else if TIMESTAMPING.contains(&kind) {
            let [system, _, device] = times(data, 3, 1);
            let told = |time: Option<i64>| time.filter(|time| *time != 0);
            self.timestamp = self.timestamp.or(told(system));
            self.hardware_timestamp = told(device);
            true
        } else if kind == SO_RXQ_OVFL {
            note(&mut self.drops, || {
                data.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
            })
        } else {
            false
        }
    }
}

fn note<T>(place: &mut Option<T>, value: impl FnOnce() -> Option<T>) -> bool {
    let value = value();
    let is_there = value.is_some();
    if is_there {
        *place = value;
    }
    is_there
}

fn number(data: &[u8]) -> Option<c_int> {
    data.first_chunk().map(|bytes| c_int::from_ne_bytes(*bytes))
}

/// A number of one byte, which some messages carry as an int.
fn small(data: &[u8]) -> Option<u8> {
    match data {
        [value] => Some(*value),
        _ => u8::try_from(number(data)?).ok(),
    }
}

/// Times in nanoseconds from pairs of seconds and fractions, of 32 or 64 bits each.
fn times(data: &[u8], count: usize, scale: i64) -> [Option<i64>; 3] {
    let mut found = [None; 3];
    let size = data.len() / (2 * count);
    if size != 4 && size != 8 {
        return found;
    }
    let part = |index: usize| {
        let bytes = data.get(index * size..)?;
        Some(if size == 8 {
            i64::from_ne_bytes(*bytes.first_chunk()?)
        } else {
            i32::from_ne_bytes(*bytes.first_chunk()?).into()
        })
    };
    for (index, place) in found.iter_mut().enumerate().take(count) {
        *place = (|| {
            let seconds = part(2 * index)?.checked_mul(1_000_000_000)?;
            seconds.checked_add(part(2 * index + 1)?.checked_mul(scale)?)
        })();
    }
    found
}

/// What the system is to be told with a datagram.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    pub traffic_class: Option<u8>,
    pub hop_limit: Option<u8>,
    pub source: Option<IpAddr>,
    /// Zero leaves it to the routing table.
    pub interface: u32,
    pub segment_size: Option<u16>,
    /// When it is to leave, in nanoseconds of the clock that `SO_TXTIME` names.
    pub departure: Option<u64>,
}

impl Choice {
    /// The control messages for a socket of a family. A socket of IPv6 gets those for both: what
    /// goes over IPv4 from there looks at no others, and the other way round.
    pub fn encode(&self, family: c_int) -> std::result::Result<Control, Full> {
        let mut control = Control::new();
        let is_v6 = family == libc::AF_INET6;
        for (value, v4, v6) in [
            (self.traffic_class, libc::IP_TOS, IPV6_TCLASS),
            (self.hop_limit, libc::IP_TTL, IPV6_HOPLIMIT),
        ] {
            let Some(value) = value else { continue };
            let value = c_int::from(value).to_ne_bytes();
            add(&mut control, libc::IPPROTO_IP, v4, &value)?;
            if is_v6 {
                add(&mut control, libc::IPPROTO_IPV6, v6, &value)?;
            }
        }
        if self.source.is_some() || self.interface != 0 {
            let index = self.interface.to_ne_bytes();
            if is_v6 {
                let source = match self.source {
                    Some(IpAddr::V4(source)) => source.to_ipv6_mapped(),
                    Some(IpAddr::V6(source)) => source,
                    None => Ipv6Addr::UNSPECIFIED,
                };
                let data = [&source.octets()[..], &index].concat();
                add(&mut control, libc::IPPROTO_IPV6, IPV6_PKTINFO, &data)?;
            } else {
                let source = match self.source {
                    Some(IpAddr::V4(source)) => source,
                    _ => Ipv4Addr::UNSPECIFIED,
                };
                let data = [index, source.octets(), [0; 4]].concat();
                add(&mut control, libc::IPPROTO_IP, IP_PKTINFO, &data)?;
            }
        }
        if let Some(size) = self.segment_size {
            add(&mut control, SOL_UDP, UDP_SEGMENT, &size.to_ne_bytes())?;
        }
        if let Some(time) = self.departure {
            add(
                &mut control,
                libc::SOL_SOCKET,
                SCM_TXTIME,
                &time.to_ne_bytes(),
            )?;
        }
        Ok(control)
    }
}

fn add(
    control: &mut Control,
    level: c_int,
    kind: c_int,
    data: &[u8],
) -> std::result::Result<(), Full> {
    control
        .message(level, kind, data.len())?
        .copy_from_slice(data);
    Ok(())
}

/// The traffic class that a socket sends with.
pub fn traffic_class(fd: BorrowedFd<'_>, family: c_int) -> Result<u8> {
    let value: c_int = if family == libc::AF_INET6 {
        option::get(fd, libc::IPPROTO_IPV6, IPV6_TCLASS)?
    } else {
        option::get(fd, libc::IPPROTO_IP, libc::IP_TOS)?
    };
    Ok(u8::try_from(value).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(level: c_int, kind: c_int, data: &[u8]) -> Option<Info> {
        let mut info = Info::default();
        let message = Message {
            level,
            kind,
            data,
            complete: true,
        };
        info.take(&message).then_some(info)
    }

    #[test]
    fn what_is_encoded_is_understood() {
        for (family, source) in [
            (libc::AF_INET, IpAddr::from([127, 0, 0, 9])),
            (libc::AF_INET6, Ipv6Addr::LOCALHOST.into()),
        ] {
            let choice = Choice {
                traffic_class: Some(0xb9),
                hop_limit: Some(7),
                source: Some(source),
                interface: 3,
                ..Choice::default()
            };
            let control = choice.encode(family).unwrap();
            let mut info = Info::default();
            for message in control.messages() {
                assert!(info.take(&message.unwrap()));
            }
            assert_eq!(info.traffic_class, Some(0xb9));
            assert_eq!(info.hop_limit, Some(7));
            assert_eq!(info.interface, Some(3));
            // Of IPv4 it stands where the system looks for it when sending, ip(7).
            if family == libc::AF_INET6 {
                assert_eq!(info.destination, Some(source));
            }
        }
    }

    #[test]
    fn an_ipv4_source_of_an_ipv6_socket_is_mapped() {
        let choice = Choice {
            source: Some([10, 0, 0, 1].into()),
            ..Choice::default()
        };
        let control = choice.encode(libc::AF_INET6).unwrap();
        let message = control.messages().next().unwrap().unwrap();
        assert_eq!(message.data[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]);
        assert_eq!(message.data[12..16], [10, 0, 0, 1]);
    }

    #[test]
    fn messages_that_are_cut_or_odd_tell_nothing() {
        for len in 0..12 {
            let data = vec![0; len];
            assert_eq!(told(libc::IPPROTO_IP, IP_PKTINFO, &data), None);
            assert_eq!(told(libc::IPPROTO_IPV6, IPV6_PKTINFO, &data), None);
            let is_small = told(libc::IPPROTO_IP, libc::IP_TTL, &data).is_some();
            assert_eq!(is_small, len == 1 || len >= 4);
        }
        assert_eq!(
            told(libc::IPPROTO_IP, libc::IP_TTL, &256_i32.to_ne_bytes()),
            None
        );
        assert_eq!(told(99, 1, &[0; 64]), None);
        let mut info = Info::default();
        let cut = Message {
            level: libc::IPPROTO_IP,
            kind: libc::IP_TTL,
            data: &[1],
            complete: false,
        };
        assert!(!info.take(&cut));
    }

    #[cfg(linux)]
    #[test]
    fn times_of_both_widths_and_units() {
        let wide: Vec<u8> = [5_i64, 7, 0, 0, 6, 8]
            .iter()
            .flat_map(|part| part.to_ne_bytes())
            .collect();
        let narrow: Vec<u8> = [5_i32, 7]
            .iter()
            .flat_map(|part| part.to_ne_bytes())
            .collect();
        let time = |kind, data| told(libc::SOL_SOCKET, kind, data).and_then(|info| info.timestamp);
        assert_eq!(time(TIMESPEC[0], &wide[..16]), Some(5_000_000_007));
        assert_eq!(time(TIMESPEC[0], &narrow), Some(5_000_000_007));
        assert_eq!(time(TIMEVAL[0], &narrow), Some(5_000_007_000));
        assert_eq!(time(TIMESPEC[0], &[0; 3]), None);
        let all = told(libc::SOL_SOCKET, TIMESTAMPING[0], &wide).unwrap();
        assert_eq!(all.timestamp, Some(5_000_000_007));
        assert_eq!(all.hardware_timestamp, Some(6_000_000_008));
        let huge = [i64::MAX.to_ne_bytes(), [0; 8]].concat();
        assert_eq!(time(TIMESPEC[0], &huge), None);
    }
}
