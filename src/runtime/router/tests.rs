//! The router between real sockets: clients and dynos are threads of the test, and the test says which dynos there are.

mod codes;
mod endings;
mod floods;
mod forward;
mod heads;
mod hold;
mod limits;
mod log;
mod losses;
mod memory;
mod names;
mod odd_answers;
mod smuggling;
mod tunnel;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use super::super::log_archive::LogArchive;
use super::super::log_hub::{LogHub, Receivers};
use super::super::log_stream::LogStream;
use super::{Router, RouterStart};
use crate::logs::{Formatter, Source};
use crate::model::{DynoName, RunId};
use crate::routing::RouterRules;
use crate::supervisor::tests::process_type;
use crate::supervisor::{DynoLife, DynoRole, LifeStage, PublicState, Row, Snapshot};

type Order = Box<dyn FnOnce(&Rc<Router>) + Send>;

/// After this many turns of the router without progress, there will be none.
const TURNS: usize = 2000;

/// A router in a thread of its own, because the test waits for sockets.
struct TestRouter {
    port: u16,
    orders: Option<UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl TestRouter {
    fn start() -> Self {
        Self::with_rules(|_| {})
    }

    fn with_rules(change: impl FnOnce(&mut RouterRules)) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut rules = RouterRules { port, ..RouterRules::plain() };
        change(&mut rules);
        let (orders, mut arriving) = unbounded_channel::<Order>();
        let thread = thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            LocalSet::new().block_on(&tokio, async {
                let archive = LogArchive::new();
                let hub = LogHub::start(nowhere(), Some(archive.clone()), unbounded_channel().0).unwrap();
                let start = RouterStart { listeners: vec![listener], rules };
                let router = Router::begin(start, hub.clone(), Some(archive)).unwrap();
                while let Some(order) = arriving.recv().await {
                    order(&router);
                }
                hub.close();
            });
        });
        Self { port, orders: Some(orders), thread: Some(thread) }
    }

    /// Does something in the thread of the router.
    fn ask<T: Send + 'static>(&self, question: impl FnOnce(&Rc<Router>) -> T + Send + 'static) -> T {
        let (sender, answer) = mpsc::channel();
        let order: Order = Box::new(move |router| drop(sender.send(question(router))));
        assert!(self.orders.as_ref().unwrap().send(order).is_ok());
        answer.recv().unwrap()
    }

    /// Publishes these dynos.
    fn publish(&self, rows: Vec<Row>) {
        let snapshot = Snapshot { rows, ..Snapshot::default() };
        self.ask(move |router| router.publish(snapshot));
    }

    /// The lines that the router has written.
    fn log(&self) -> Vec<String> {
        self.ask(|router| {
            router.log.flush();
            router.archive.as_ref().unwrap().last_router_lines()
        })
    }

    /// The same once there are as many as this.
    fn log_when(&self, count: usize) -> Vec<String> {
        loop {
            let lines = self.log();
            if lines.len() >= count {
                return lines;
            }
            thread::yield_now();
        }
    }

    fn until(&self, what: &str, is_so: impl Fn(&Router) -> bool + Clone + Send + 'static) {
        let begin = std::time::Instant::now();
        while !self.ask({
            let is_so = is_so.clone();
            move |router| is_so(router)
        }) {
            assert!(begin.elapsed() < Duration::from_secs(60), "waited until {what}");
            thread::yield_now();
        }
    }

    /// Calls `act` until it no longer gets anything done, however often the router has had a turn.
    fn until_stuck(&self, mut act: impl FnMut() -> usize) {
        let mut turns_without = 0;
        while turns_without < TURNS {
            turns_without = if act() == 0 { turns_without + 1 } else { 0 };
            self.ask(|_| ());
            thread::yield_now();
        }
    }

    /// Lets the clock of the router jump to its next deadline.
    fn let_time_pass(&self) {
        self.ask(|_| tokio::time::pause());
    }

    /// Lets the clock of the router jump by this time.
    fn advance(&self, time: Duration) {
        let (sender, passed) = mpsc::channel();
        self.ask(move |_| {
            tokio::task::spawn_local(async move {
                tokio::time::pause();
                tokio::time::advance(time).await;
                tokio::time::resume();
                sender.send(()).unwrap();
            });
        });
        passed.recv().unwrap();
    }

    /// Ends the router as the end of the run does. Its time passes at once.
    fn finish(&self) {
        let (sender, ended) = mpsc::channel();
        self.ask(move |router| {
            let router = Rc::clone(router);
            tokio::time::pause();
            tokio::task::spawn_local(async move {
                router.finish(std::future::pending()).await;
                sender.send(()).unwrap();
            });
        });
        ended.recv().unwrap();
    }

    /// Asks for the end of the requests of a run.
    fn drains(&self, run: u64) -> mpsc::Receiver<()> {
        let (sender, drained) = mpsc::channel();
        self.ask(move |router| {
            router.drain(RunId(run));
            let router = Rc::clone(router);
            tokio::task::spawn_local(async move {
                assert_eq!(router.drains.next().await, RunId(run));
                sender.send(()).unwrap();
            });
        });
        drained
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        client
    }

    /// Sends these bytes and returns everything that comes until the router closes the connection.
    fn exchange(&self, request: &str) -> String {
        let mut client = self.connect();
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }
}

/// The log is kept for readers, but shown nowhere.
fn nowhere() -> Receivers<impl Fn(&Source) -> bool + Send + 'static> {
    let formatter = Formatter::plain();
    let stream = LogStream::Nowhere;
    Receivers { formatter, quiet: |_: &Source| true, files: None, tails: None, stream, focused: None }
}

impl Drop for TestRouter {
    fn drop(&mut self) {
        self.orders = None;
        let ended = self.thread.take().unwrap().join();
        assert!(thread::panicking() || ended.is_ok());
    }
}

/// What a field of the platform's line says.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

/// The same for a time, in milliseconds.
fn ms_of(line: &str, name: &str) -> u64 {
    field(line, name).strip_suffix("ms").unwrap().parse().unwrap()
}

/// Server of a dyno: each connection is carried by a thread.
fn dyno(carry: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    serve(listener, carry);
    port
}

/// A dyno that reads the head of each request and nothing else.
fn stuck() -> (u16, mpsc::Receiver<()>) {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        sender.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    (port, requests)
}

fn serve(listener: TcpListener, carry: impl Fn(TcpStream) + Send + Sync + 'static) {
    let carry = Arc::new(carry);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let carry = Arc::clone(&carry);
            thread::spawn(move || carry(socket.unwrap()));
        }
    });
}

/// The row of `web.INDEX`.
fn web(index: u32, run: u64, port: u16, stage: LifeStage) -> Row {
    let public = match stage {
        LifeStage::Up => PublicState::Up,
        LifeStage::Starting | LifeStage::Booting | LifeStage::Waiting => PublicState::Starting,
        LifeStage::Backoff | LifeStage::Crashed => PublicState::Crashed,
        LifeStage::Down | LifeStage::Draining | LifeStage::Stopping | LifeStage::Clearing | LifeStage::Lost => {
            PublicState::Down
        }
    };
    Row {
        dyno: DynoName::new(process_type("web"), index),
        role: DynoRole::Formation,
        state: public,
        since: jiff::Timestamp::UNIX_EPOCH,
        not_up: None,
        wanted: true,
        prevented: None,
        pid: None,
        port: Some(port),
        command: "./server".into(),
        run,
        restarts: 0,
        last_exit: None,
        life: DynoLife {
            stage,
            expected_port: Some(port),
            listens: true,
            ready: stage == LifeStage::Up,
            ..DynoLife::default()
        },
    }
}

/// Reads up to and including these bytes.
fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(end.as_bytes()) {
        assert_eq!(socket.read(&mut byte).unwrap(), 1, "ended after {:?}", String::from_utf8_lossy(&bytes));
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Whether the other side sends more.
fn has_next(socket: &TcpStream) -> bool {
    matches!(socket.peek(&mut [0]), Ok(1))
}

/// Answers each request of the connection with `200` and the text, until the client closes it.
fn says(text: &'static str) -> impl Fn(TcpStream) + Send + Sync + 'static {
    move |mut socket| {
        while has_next(&socket) {
            read_until(&mut socket, "\r\n\r\n");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
            socket.write_all(answer.as_bytes()).unwrap();
        }
    }
}

/// A dyno that does so, and its connections.
fn counted(text: &'static str) -> (u16, mpsc::Receiver<()>) {
    let (sender, connections) = mpsc::channel();
    let say = says(text);
    let port = dyno(move |socket| {
        sender.send(()).unwrap();
        say(socket);
    });
    (port, connections)
}

/// A dyno that answers nothing, and says when a request has come.
fn silent() -> (u16, mpsc::Receiver<()>) {
    let (sender, requests) = mpsc::channel();
    let port = dyno(move |mut socket| {
        read_until(&mut socket, "\r\n\r\n");
        sender.send(()).unwrap();
        // Until the router closes the connection.
        while let Ok(1..) = socket.read(&mut [0; 64]) {}
    });
    (port, requests)
}

/// A port that refuses connections until its test listens.
struct QuietPort {
    socket: OwnedFd,
    port: u16,
}

impl QuietPort {
    fn new() -> Self {
        let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        let port = getsockname::<SockaddrIn>(socket.as_raw_fd()).unwrap().port();
        Self { socket, port }
    }

    /// `backlog`: how many connections may wait, and one more.
    fn listen(self, backlog: i32) -> TcpListener {
        listen(&self.socket, Backlog::new(backlog).unwrap()).unwrap();
        self.socket.into()
    }
}

/// A port on which nothing listens.
fn closed_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
