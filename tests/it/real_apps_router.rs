//! A server that keeps connections alive and takes its time, restarted again and again behind a router (S16.3). Needs `python3`.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::app::free_base;
use crate::harness::{App, Ended};

/// Writes the body of each POST to the file `posts` before it answers.
const SERVER: &str = r"
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    def do_GET(self):
        time.sleep(0.02)
        self.answer(b'got')
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        with open('posts', 'ab') as posts:
            posts.write(body + b'\n')
        time.sleep(0.02)
        self.answer(b'kept')
    def answer(self, text):
        self.send_response(200)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *words):
        pass

ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

/// The answer to one request on a kept connection, up to its body.
fn exchange(client: &mut TcpStream, request: &str, end: &str) -> String {
    client.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(end.as_bytes()) {
        if client.read(&mut byte).unwrap() == 0 {
            break;
        }
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn s16_3_ten_restarts_lose_no_request_and_repeat_no_post() {
    for (formation, dynos) in [("web=1", 1), ("web=2", 2)] {
        let (app, port) = (App::new("web: exec python3 server.py\n").file("server.py", SERVER), free_base());
        let running = app.dyno(["start", "--router", "-p", &port.to_string(), formation]).spawn();
        // A dyno that is about to start would not be started twice.
        let starts = || running.stdout.text().matches("| started with pid ").count();
        running.until("the dynos have started", || starts() == dynos);
        let is_over = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..6)
            .map(|client| {
                let is_over = Arc::clone(&is_over);
                thread::spawn(move || {
                    let (mut posts, mut number) = (Vec::new(), 0);
                    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    while !is_over.load(Ordering::Relaxed) {
                        number += 1;
                        let (head, body) = (" / HTTP/1.1\r\nHost: localhost\r\n", format!("{client}-{number}"));
                        let answer = if number % 3 == 0 {
                            let length = body.len();
                            posts.push(body.clone());
                            let request = format!("POST{head}Content-Length: {length}\r\n\r\n{body}");
                            exchange(&mut socket, &request, "\r\n\r\nkept")
                        } else {
                            exchange(&mut socket, &format!("GET{head}\r\n"), "\r\n\r\ngot")
                        };
                        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
                    }
                    posts
                })
            })
            .collect();
        for number in 1..=10 {
            let restart = app.dyno(["restart", "web", "--wait"]).run();
            assert_eq!(restart.ended, Ended::Code(0), "{}\n{}", restart.stderr(), running.report());
            running.until("the dynos have started again", || starts() == dynos * (number + 1));
        }
        is_over.store(true, Ordering::Relaxed);
        let sent: BTreeSet<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();

        let kept = std::fs::read_to_string(app.path("posts")).unwrap();
        let kept: Vec<&str> = kept.lines().collect();
        assert_eq!(kept.len(), sent.len());
        assert_eq!(kept.iter().map(|&post| post.to_owned()).collect::<BTreeSet<_>>(), sent);
        running.signal(Signal::SIGTERM);
        running.finish().expect_end(Ended::Signal(Signal::SIGTERM));
    }
}
