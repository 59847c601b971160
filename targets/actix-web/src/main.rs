// An echo server as the README and the chat example of actix-ws show it, with
// finwait's control contract (docs/contract.md).
use std::collections::{BTreeMap, HashMap};
use std::env;
use std::sync::Mutex;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use actix_ws::{AggregatedMessage as Message, AggregatedMessageStream, CloseReason, Closed, Session};
use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

static EVENTS: Mutex<BTreeMap<String, Vec<Value>>> = Mutex::new(BTreeMap::new());
static CLIENTS: Mutex<Vec<UnboundedSender<String>>> = Mutex::new(Vec::new());

fn log(sent: Result<(), Closed>) {
    if let Err(error) = sent {
        eprintln!("{error}"); // such as a message after the Close; the reader is told of what is fatal
    }
}

async fn close(session: &Session, arguments: &str) {
    let (code, reason) = arguments.split_once(' ').unwrap_or((arguments, ""));
    let reason = code.parse::<u16>().ok().map(|code| CloseReason {
        code: code.into(),
        description: (!reason.is_empty()).then(|| reason.to_owned()),
    });
    log(session.clone().close(reason).await);
}

// There is no hard kill to obey finwait:terminate with: dropping the session ends
// TCP only after everything that is queued was written, and a second later.
async fn obey(line: &str, session: &mut Session, tasks: &mut JoinSet<()>) {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    match name {
        "hello" => log(session.text("finwait:v1 close fill kick-all events").await),
        "close" => close(session, rest).await,
        "fill" => {
            let (mut session, n) = (session.clone(), rest.parse::<usize>().unwrap_or(0));
            tasks.spawn(async move {
                for sent in (0..n).step_by(65536) {
                    log(session.text("f".repeat(65536.min(n - sent))).await);
                }
            });
        }
        "kick-all" => CLIENTS.lock().unwrap().retain(|client| client.send(rest.to_owned()).is_ok()),
        "events" => {
            let events = EVENTS.lock().unwrap().get(rest).cloned().unwrap_or_default();
            log(session.text(Value::from(events).to_string()).await);
        }
        _ => {}
    }
}

fn tell(query: &HashMap<String, String>, mut event: Value) {
    event["at"] = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true).into();
    if let Some(token) = query.get("finwait") {
        EVENTS.lock().unwrap().entry(token.clone()).or_default().push(event);
    }
}

async fn serve(mut session: Session, mut stream: AggregatedMessageStream, query: HashMap<String, String>) {
    let mut tasks = JoinSet::new(); // what runs beside the reader ends with it

    let (client, mut kicks) = unbounded_channel();
    CLIENTS.lock().unwrap().push(client);
    let kicked = session.clone();
    tasks.spawn(async move {
        while let Some(arguments) = kicks.recv().await {
            close(&kicked, &arguments).await;
        }
    });

    if let Some(line) = query.get("finwait-open") {
        log(session.text("finwait:opened").await);
        obey(line, &mut session, &mut tasks).await;
    }
    let nothing = json!({"code": null, "reason": null, "clean": null});
    loop {
        match stream.recv().await {
            Some(Ok(Message::Text(text))) => match text.strip_prefix("finwait:") {
                Some(line) => obey(line, &mut session, &mut tasks).await,
                None => log(session.text(text).await),
            },
            Some(Ok(Message::Binary(bytes))) => log(session.binary(bytes).await),
            Some(Ok(Message::Ping(bytes))) => log(session.pong(&bytes).await),
            Some(Ok(Message::Pong(_))) => {}
            Some(Ok(Message::Close(reason))) => {
                match reason.clone() {
                    Some(CloseReason { code, description }) => {
                        tell(&query, json!({"code": u16::from(code), "reason": description, "clean": null}))
                    }
                    None => tell(&query, nothing),
                }
                log(session.close(reason).await);
                return;
            }
            Some(Err(error)) => {
                let mut event = nothing;
                event["error"] = error.to_string().into();
                tell(&query, event);
                break;
            }
            None => {
                tell(&query, nothing);
                break;
            }
        }
    }
    log(session.close(None).await);
}

async fn upgrade(
    request: HttpRequest,
    body: web::Payload,
    query: web::Query<HashMap<String, String>>,
) -> actix_web::Result<HttpResponse> {
    let (response, session, stream) = actix_ws::handle(&request, body)?;
    rt::spawn(serve(session, stream.aggregate_continuations(), query.into_inner()));
    Ok(response)
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let address = format!("127.0.0.1:{}", env::var("PORT").expect("PORT"));
    let server = HttpServer::new(|| App::new().default_service(web::get().to(upgrade))).bind(&address)?;
    println!("listening {address}");
    server.run().await
}
