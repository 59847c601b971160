// An echo server as the documentation of embedded Tomcat and of jakarta.websocket
// shows it, with finwait's control contract (docs/contract.md). There is no hard
// kill: Session has close(), and nothing else.
import jakarta.websocket.CloseReason;
import jakarta.websocket.OnClose;
import jakarta.websocket.OnError;
import jakarta.websocket.OnMessage;
import jakarta.websocket.OnOpen;
import jakarta.websocket.Session;
import jakarta.websocket.server.ServerEndpoint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.catalina.Context;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.websocket.server.WsSci;

public class Server {
  static final Map<String, List<String>> EVENTS = new ConcurrentHashMap<>();

  @ServerEndpoint("/")
  public static class Echo {
    final List<String> own = new CopyOnWriteArrayList<>();
    volatile Throwable error;

    void obey(Session session, String line) {
      String[] words = line.split(" ", 3);
      try {
        switch (words[0]) {
          case "hello" -> send(session, "finwait:v1 close fill kick-all events");
          case "close" -> close(session, words);
          case "fill" -> aside(() -> { // a write blocks
            for (int left = Integer.parseInt(words[1]); left > 0; left -= 65536) send(session, "f".repeat(Math.min(left, 65536)));
          });
          case "kick-all" -> {
            for (Session each : session.getOpenSessions()) aside(() -> close(each, words)); // so does a close
          }
          case "events" -> send(session, EVENTS.getOrDefault(words[1], List.of()).toString());
          default -> { }
        }
      } catch (Exception e) {
        System.err.println(e);
      }
    }

    interface Work {
      void run() throws Exception;
    }

    static void aside(Work work) {
      new Thread(() -> {
        try {
          work.run();
        } catch (Exception e) {
          System.err.println(e);
        }
      }).start();
    }

    /** One thread at a time may send: a message during another one is an IllegalStateException. */
    void send(Session session, String text) throws IOException {
      synchronized (this) {
        session.getBasicRemote().sendText(text);
      }
    }

    static void close(Session session, String[] words) throws IOException {
      if (words.length == 1) session.close();
      else session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(Integer.parseInt(words[1])), words.length == 2 ? null : words[2]));
    }

    @OnOpen
    public void onOpen(Session session) throws IOException {
      Map<String, List<String>> query = session.getRequestParameterMap();
      if (query.containsKey("finwait")) EVENTS.put(query.get("finwait").get(0), own);
      if (!query.containsKey("finwait-open")) return;
      send(session, "finwait:opened");
      obey(session, query.get("finwait-open").get(0));
    }

    /** In parts, as in Tomcat's own echo example: a whole message would have to fit into 8 KiB. */
    @OnMessage
    public void onText(Session session, String text, boolean last) throws IOException {
      if (last && text.startsWith("finwait:")) {
        obey(session, text.substring("finwait:".length()));
        return;
      }
      synchronized (this) {
        session.getBasicRemote().sendText(text, last);
      }
    }

    @OnMessage
    public void onBinary(Session session, ByteBuffer data, boolean last) throws IOException {
      synchronized (this) {
        session.getBasicRemote().sendBinary(data, last);
      }
    }

    @OnError
    public void onError(Session session, Throwable cause) {
      System.err.println(cause);
      error = cause;
    }

    @OnClose
    public void onClose(Session session, CloseReason close) {
      String at = Instant.now().toString();
      String told = error == null ? "" : ", \"error\": " + json(error.toString());
      own.add("{\"code\": " + close.getCloseCode().getCode() + ", \"reason\": " + json(close.getReasonPhrase()) + ", \"clean\": null, \"at\": " + json(at) + told + "}");
    }
  }

  static String json(String text) {
    if (text == null) return "null";
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) quoted.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
    return quoted.append('"').toString();
  }

  public static void main(String[] args) throws Exception {
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir("target/tomcat");
    tomcat.setPort(Integer.parseInt(System.getenv("PORT")));
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    Context context = tomcat.addContext("", null);
    context.addServletContainerInitializer(new WsSci(), Set.of(Echo.class));
    Tomcat.addServlet(context, "default", new DefaultServlet()); // WebSocket is a filter, and needs a servlet behind it
    context.addServletMappingDecoded("/", "default");
    tomcat.start();
    System.out.println("listening 127.0.0.1:" + tomcat.getConnector().getLocalPort());
    tomcat.getServer().await();
  }
}
