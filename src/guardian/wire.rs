//! Encodes and decodes the values of a frame, in native byte order. Pure.

use crate::model::LeftRunning;

pub(super) fn put_u32(payload: &mut Vec<u8>, number: u32) {
    payload.extend_from_slice(&number.to_ne_bytes());
}

pub(super) fn put_i32(payload: &mut Vec<u8>, number: i32) {
    payload.extend_from_slice(&number.to_ne_bytes());
}

pub(super) fn put_bytes(payload: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(payload, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    payload.extend_from_slice(bytes);
}

pub(super) fn put_port(payload: &mut Vec<u8>, port: Option<u16>) {
    put_u32(payload, u32::from(port.unwrap_or(0)));
}

pub(super) fn put_process(payload: &mut Vec<u8>, process: &LeftRunning) {
    put_i32(payload, process.pid);
    put_bytes(payload, process.name.as_bytes());
    put_port(payload, process.port);
}

pub(super) fn put_texts(payload: &mut Vec<u8>, texts: &[String]) {
    put_u32(payload, u32::try_from(texts.len()).unwrap_or(u32::MAX));
    for text in texts {
        put_bytes(payload, text.as_bytes());
    }
}

pub(super) fn some_port(port: u16) -> Option<u16> {
    (port > 0).then_some(port)
}

/// Reads values from the front. Returns None if too few bytes are left, and never panics.
pub(super) struct PayloadReader<'a>(pub(super) &'a [u8]);

impl<'a> PayloadReader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_ne_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_ne_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_ne_bytes)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()? as usize;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    /// A port. 0 means none.
    pub(super) fn port(&mut self) -> Option<u16> {
        u16::try_from(self.u32()?).ok()
    }

    pub(super) fn process(&mut self) -> Option<LeftRunning> {
        Some(LeftRunning { pid: self.i32()?, name: self.text()?, port: some_port(self.port()?) })
    }

    pub(super) fn texts(&mut self) -> Option<Vec<String>> {
        (0..self.u32()?).map(|_| self.text()).collect()
    }

    pub(super) fn list(&mut self) -> Option<Vec<Vec<u8>>> {
        let count = self.u32()?;
        (0..count).map(|_| self.bytes().map(<[u8]>::to_vec)).collect()
    }
}
