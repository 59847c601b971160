// An echo server as the examples of tokio-tungstenite show it, with finwait's
// control contract (docs/contract.md).
use std::collections::{BTreeMap, HashMap};
use std::env;
use std::sync::{Arc, Mutex};

use chrono::{SecondsFormat, Utc};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

type Sink = Arc<tokio::sync::Mutex<SplitSink<WebSocketStream<TcpStream>, Message>>>;

static EVENTS: Mutex<BTreeMap<String, Vec<Value>>> = Mutex::new(BTreeMap::new());
static CLIENTS: Mutex<Vec<UnboundedSender<String>>> = Mutex::new(Vec::new());

async fn send(sink: &Sink, message: impl Into<Message>) {
    if let Err(error) = sink.lock().await.send(message.into()).await {
        eprintln!("{error}"); // such as a message after the Close; the reader is told of what is fatal
    }
}

async fn close(sink: &Sink, arguments: &str) {
    let (code, reason) = arguments.split_once(' ').unwrap_or((arguments, ""));
    let frame = code.parse::<u16>().ok().map(|code| CloseFrame { code: code.into(), reason: reason.into() });
    send(sink, Message::Close(frame)).await;
}

/// Obeys a command; false ends the connection.
async fn obey(line: &str, sink: &Sink, tasks: &mut JoinSet<()>) -> bool {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    match name {
        "hello" => send(sink, "finwait:v1 close terminate fill kick-all events").await,
        "close" => close(sink, rest).await,
        "terminate" => return false, // the stream has no such call: it is dropped, and its socket with it
        "fill" => {
            let (sink, n) = (sink.clone(), rest.parse::<usize>().unwrap_or(0));
            tasks.spawn(async move {
                for sent in (0..n).step_by(65536) {
                    send(&sink, "f".repeat(65536.min(n - sent))).await;
                }
            });
        }
        "kick-all" => CLIENTS.lock().unwrap().retain(|client| client.send(rest.to_owned()).is_ok()),
        "events" => {
            let events = EVENTS.lock().unwrap().get(rest).cloned().unwrap_or_default();
            send(sink, Value::from(events).to_string()).await;
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

async fn serve(stream: TcpStream) -> Result<(), Error> {
    let mut query = HashMap::new();
    let upgrade = |request: &Request, response: Response| {
        query = form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes()).into_owned().collect();
        Ok(response)
    };
    let (sink, mut source) = accept_hdr_async(stream, upgrade).await?.split();
    let sink = Arc::new(tokio::sync::Mutex::new(sink));
    let mut tasks = JoinSet::new(); // what runs beside the reader ends with it

    let (client, mut kicks) = unbounded_channel();
    CLIENTS.lock().unwrap().push(client);
    let kicked = sink.clone();
    tasks.spawn(async move {
        while let Some(arguments) = kicks.recv().await {
            close(&kicked, &arguments).await;
        }
    });

    if let Some(line) = query.get("finwait-open") {
        send(&sink, "finwait:opened").await;
        if !obey(line, &sink, &mut tasks).await {
            return Ok(());
        }
    }
    while let Some(message) = source.next().await {
        match message {
            Ok(Message::Text(text)) if text.starts_with("finwait:") => {
                if !obey(&text["finwait:".len()..], &sink, &mut tasks).await {
                    return Ok(());
                }
            }
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => send(&sink, message).await,
            // Reading on sends the answer, and then there is no further message.
            Ok(Message::Close(Some(frame))) => {
                tell(&query, json!({"code": u16::from(frame.code), "reason": frame.reason.as_str(), "clean": null}))
            }
            Ok(Message::Close(None)) => tell(&query, json!({"code": null, "reason": null, "clean": null})),
            Ok(_) => {}
            Err(error) => tell(&query, json!({"code": null, "reason": null, "clean": null, "error": error.to_string()})),
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(format!("127.0.0.1:{}", env::var("PORT").expect("PORT"))).await?;
    println!("listening {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream).await {
                eprintln!("{error}");
            }
        });
    }
}
