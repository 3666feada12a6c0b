//! Messages of DNS (RFC 1035, SRV by RFC 2782), as far as discovery asks and reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use promconfig::discovery::RecordType;

/// A record that can be a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// SRV: a host and its port.
    Service {
        /// The host, with its final dot.
        target: String,
        /// Its port.
        port: u16,
    },
    /// MX: a host, with its final dot.
    Mail(String),
    /// NS: a host, with its final dot.
    NameServer(String),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// 0 is success, 3 says that there is no such name.
    pub(super) code: u8,
    /// It did not fit; it has to be asked for over TCP.
    pub(super) is_truncated: bool,
    /// Records of the type that was asked for.
    pub(super) records: Vec<Record>,
}

const CLASS_IN: u16 = 1;
const OPT: u16 = 41;
/// Bytes of an answer over UDP that every network carries.
const UDP_BYTES: u16 = 1232;

fn number(kind: RecordType) -> u16 {
    match kind {
        RecordType::A => 1,
        RecordType::Ns => 2,
        RecordType::Mx => 15,
        RecordType::Aaaa => 28,
        RecordType::Srv => 33,
    }
}

/// Asks for the records of a name; `None` if it is none.
pub(super) fn question(id: u16, name: &str, kind: RecordType) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&id.to_be_bytes());
    // A plain question, recursion wanted; one question, one additional record.
    bytes.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    let name = name.trim_end_matches('.');
    if !name.is_empty() {
        for label in name.split('.') {
            let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
            bytes.push(length);
            bytes.extend_from_slice(label.as_bytes());
        }
    }
    if bytes.len() > 12 + 254 {
        return None;
    }
    bytes.push(0);
    for number in [number(kind), CLASS_IN] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    // EDNS: how much may come back at once.
    bytes.push(0);
    for number in [OPT, UDP_BYTES, 0, 0, 0] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    Some(bytes)
}

/// Reads an answer to the question with this id; `None` if it is none.
pub(super) fn answer(bytes: &[u8], id: u16, kind: RecordType) -> Option<Answer> {
    let mut reader = Reader { bytes, at: 0 };
    let (their_id, flags) = (reader.u16()?, reader.u16()?);
    let [questions, answers, _, _] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    if their_id != id || flags & 0x8000 == 0 {
        return None;
    }
    for _ in 0..questions {
        reader.name()?;
        reader.skip(4)?;
    }
    let is_truncated = flags & 0x0200 != 0;
    let mut records = Vec::new();
    for _ in 0..answers {
        match reader.record(kind, &mut records) {
            Some(()) => {}
            None if is_truncated => break,
            None => return None,
        }
    }
    Some(Answer { code: (flags & 0xf) as u8, is_truncated, records })
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A name, with its final dot. Names may point to earlier ones, but not for ever.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut at = self.at;
        let mut jumped = false;
        for _ in 0..128 {
            let length = usize::from(*self.bytes.get(at)?);
            match length >> 6 {
                0 if length == 0 => {
                    if !jumped {
                        self.at = at + 1;
                    }
                    return Some(if name.is_empty() { ".".to_owned() } else { name });
                }
                0 => {
                    let label = self.bytes.get(at + 1..at + 1 + length)?;
                    name.push_str(&String::from_utf8_lossy(label));
                    name.push('.');
                    if name.len() > 1024 {
                        return None;
                    }
                    at += 1 + length;
                }
                3 => {
                    let low = usize::from(*self.bytes.get(at + 1)?);
                    if !jumped {
                        self.at = at + 2;
                    }
                    jumped = true;
                    at = (length & 0x3f) << 8 | low;
                }
                _ => return None,
            }
        }
        None
    }

    /// A record, which is added to those of the wanted type; `None` where there is none.
    fn record(&mut self, wanted: RecordType, records: &mut Vec<Record>) -> Option<()> {
        self.name()?;
        let kind = self.u16()?;
        self.skip(6)?;
        let length = usize::from(self.u16()?);
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        if kind == number(wanted) {
            records.push(self.data(wanted, length)?);
        }
        self.at = end;
        Some(())
    }

    fn data(&mut self, kind: RecordType, length: usize) -> Option<Record> {
        Some(match kind {
            RecordType::A => {
                let bytes: [u8; 4] = self.take(length)?.try_into().ok()?;
                Record::Address(Ipv4Addr::from(bytes).into())
            }
            RecordType::Aaaa => {
                let bytes: [u8; 16] = self.take(length)?.try_into().ok()?;
                Record::Address(Ipv6Addr::from(bytes).into())
            }
            RecordType::Srv => {
                self.skip(4)?;
                let port = self.u16()?;
                Record::Service { target: self.name()?, port }
            }
            RecordType::Mx => {
                self.skip(2)?;
                Record::Mail(self.name()?)
            }
            RecordType::Ns => Record::NameServer(self.name()?),
        })
    }
}

#[cfg(test)]
pub(in super::super) mod tests {
    use super::*;

    /// The answer of a server that knows these records: for each its type and its data.
    pub(in super::super::super) fn answering(
        question: &[u8],
        code: u8,
        flags: u8,
        records: &[(u16, &[u8])],
    ) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
        let mut bytes = question[..end].to_vec();
        bytes[2] = 0x80 | flags;
        bytes[3] = code;
        bytes[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        bytes[10..12].copy_from_slice(&[0, 0]);
        for (kind, data) in records {
            bytes.extend_from_slice(&[0xc0, 12]);
            bytes.extend_from_slice(&kind.to_be_bytes());
            bytes.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
            bytes.extend_from_slice(&(data.len() as u16).to_be_bytes());
            bytes.extend_from_slice(data);
        }
        bytes
    }

    #[test]
    fn questions_are_what_servers_read() {
        let bytes = question(0x1234, "ab.c.", RecordType::Srv).unwrap();
        assert_eq!(bytes[..2], [0x12, 0x34]);
        assert_eq!(bytes[12..22], [2, b'a', b'b', 1, b'c', 0, 0, 33, 0, 1]);
        assert_eq!(question(1, "a..b", RecordType::A), None);
        assert_eq!(question(1, &"a".repeat(64), RecordType::A), None);
    }

    #[test]
    fn answers_are_read_and_other_types_left_out() {
        let asked = question(7, "s.example", RecordType::Srv).unwrap();
        // The target's name points back to the question's second label.
        let srv: &[u8] = &[0, 1, 0, 2, 0x1f, 0x41, 1, b'h', 0xc0, 14];
        let bytes = answering(&asked, 0, 0, &[(5, &[0xc0, 12]), (33, srv)]);
        let read = answer(&bytes, 7, RecordType::Srv).unwrap();
        let service = Record::Service { target: "h.example.".to_owned(), port: 8001 };
        assert_eq!(read, Answer { code: 0, is_truncated: false, records: vec![service] });
        assert_eq!(answer(&bytes, 8, RecordType::Srv), None, "another question's");
        let address = answering(&asked, 0, 0, &[(1, &[127, 0, 0, 1])]);
        let expected = vec![Record::Address(Ipv4Addr::LOCALHOST.into())];
        assert_eq!(answer(&address, 7, RecordType::A).unwrap().records, expected);
        assert_eq!(answer(&answering(&asked, 3, 0, &[]), 7, RecordType::A).unwrap().code, 3);
    }

    #[test]
    fn what_is_broken_is_no_answer() {
        let asked = question(7, "s.example", RecordType::A).unwrap();
        let whole = answering(&asked, 0, 0, &[(1, &[127, 0, 0, 1]), (1, &[1, 2, 3])]);
        for end in 0..whole.len() {
            assert_eq!(answer(&whole[..end], 7, RecordType::A), None, "{end}");
        }
        assert_eq!(answer(&whole, 7, RecordType::A), None, "an address of three bytes");
        // A name that points to itself.
        let looping = answering(&asked, 0, 0, &[(2, &[0xc0, 39])]);
        assert_eq!(answer(&looping, 7, RecordType::Ns), None);
    }
}
