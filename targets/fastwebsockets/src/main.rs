// An echo server as the README and examples/echo_server_split.rs of
// fastwebsockets show it, with finwait's control contract (docs/contract.md).
use std::collections::{BTreeMap, HashMap};
use std::env;
use std::sync::{Arc, Mutex};

use chrono::{SecondsFormat, Utc};
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError, WebSocketWrite};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, server::conn::http1, service::service_fn, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::WriteHalf;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

type Writer = Arc<tokio::sync::Mutex<WebSocketWrite<WriteHalf<TokioIo<Upgraded>>>>>;

static EVENTS: Mutex<BTreeMap<String, Vec<Value>>> = Mutex::new(BTreeMap::new());
static CLIENTS: Mutex<Vec<UnboundedSender<String>>> = Mutex::new(Vec::new());

async fn send(writer: &Writer, frame: Frame<'static>) {
    if let Err(error) = writer.lock().await.write_frame(frame).await {
        eprintln!("{error}"); // such as a message after the Close; the reader is told of what is fatal
    }
}

fn text(text: impl Into<String>) -> Frame<'static> {
    Frame::text(Payload::Owned(text.into().into_bytes()))
}

/// Sends what the library answers by itself; an unsplit socket keeps it back, too, when a Close was sent.
async fn answer(writer: Writer, frame: Frame<'static>) -> Result<(), WebSocketError> {
    let mut writer = writer.lock().await;
    if writer.is_closed() { Ok(()) } else { writer.write_frame(frame).await }
}

async fn close(writer: &Writer, arguments: &str) {
    let (code, reason) = arguments.split_once(' ').unwrap_or((arguments, ""));
    let frame = match code.parse() {
        Ok(code) => Frame::close(code, reason.as_bytes()),
        Err(_) => Frame::close_raw(Payload::Owned(Vec::new())), // there is no default: a Close with nothing in it
    };
    send(writer, frame).await;
}

/// Obeys a command; false ends the connection.
async fn obey(line: &str, writer: &Writer, tasks: &mut JoinSet<()>) -> bool {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    match name {
        "hello" => send(writer, text("finwait:v1 close terminate fill kick-all events")).await,
        "close" => close(writer, rest).await,
        "terminate" => return false, // the library has no such call: its two halves are dropped, and the socket with them
        "fill" => {
            let (writer, n) = (writer.clone(), rest.parse::<usize>().unwrap_or(0));
            tasks.spawn(async move {
                for sent in (0..n).step_by(65536) {
                    send(&writer, text("f".repeat(65536.min(n - sent)))).await;
                }
            });
        }
        "kick-all" => CLIENTS.lock().unwrap().retain(|client| client.send(rest.to_owned()).is_ok()),
        "events" => {
            let events = EVENTS.lock().unwrap().get(rest).cloned().unwrap_or_default();
            send(writer, text(Value::from(events).to_string())).await;
        }
        _ => {}
    }
    true
}

fn tell(query: &HashMap<String, String>, mut event: Value) {
    event["at"] = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true).into();
    if let Some(token) = query.get("finwait") {
        EVENTS.lock().unwrap().entry(token.clone()).or_default().push(event);
    }
}

async fn serve(upgraded: UpgradeFut, query: HashMap<String, String>) -> Result<(), WebSocketError> {
    let (reader, writer) = upgraded.await?.split(tokio::io::split);
    let mut reader = FragmentCollectorRead::new(reader);
    let writer = Arc::new(tokio::sync::Mutex::new(writer));
    let mut tasks = JoinSet::new(); // what runs beside the reader ends with it

    let (client, mut kicks) = unbounded_channel();
    CLIENTS.lock().unwrap().push(client);
    let kicked = writer.clone();
    tasks.spawn(async move {
        while let Some(arguments) = kicks.recv().await {
            close(&kicked, &arguments).await;
        }
    });

    if let Some(line) = query.get("finwait-open") {
        send(&writer, text("finwait:opened")).await;
        if !obey(line, &writer, &mut tasks).await {
            return Ok(());
        }
    }
    loop {
        let frame = match reader.read_frame(&mut |frame| answer(writer.clone(), frame)).await {
            Ok(frame) => frame,
            Err(error) => {
                tell(&query, json!({"code": null, "reason": null, "clean": null, "error": error.to_string()}));
                return Err(error);
            }
        };
        match frame.opcode {
            OpCode::Text if frame.payload.starts_with(b"finwait:") => {
                let line = String::from_utf8_lossy(&frame.payload["finwait:".len()..]);
                if !obey(&line, &writer, &mut tasks).await {
                    return Ok(());
                }
            }
            OpCode::Text | OpCode::Binary => send(&writer, frame).await,
            OpCode::Close => {
                // The frame is all that the application gets: its payload is the code, then the reason.
                let (code, reason) = match frame.payload.split_first_chunk() {
                    Some((code, reason)) => (Some(u16::from_be_bytes(*code)), Some(String::from_utf8_lossy(reason))),
                    None => (None, None),
                };
                tell(&query, json!({"code": code, "reason": reason, "clean": null}));
                return Ok(());
            }
            _ => {}
        }
    }
}

async fn server_upgrade(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let query = request.uri().query().unwrap_or("").as_bytes();
    let query = form_urlencoded::parse(query).into_owned().collect();
    let (response, upgraded) = upgrade(&mut request)?;
    tokio::spawn(async move {
        if let Err(error) = serve(upgraded, query).await {
            eprintln!("{error}");
        }
    });
    Ok(response)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(format!("127.0.0.1:{}", env::var("PORT").expect("PORT"))).await?;
    println!("listening {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let io = TokioIo::new(stream);
            let connection = http1::Builder::new().serve_connection(io, service_fn(server_upgrade)).with_upgrades();
            if let Err(error) = connection.await {
                eprintln!("{error}");
            }
        });
    }
}
