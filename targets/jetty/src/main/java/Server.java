// An echo server as the documentation of Jetty's WebSocket API shows it, with
// finwait's control contract (docs/contract.md).
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.server.ServerWebSocketContainer;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

public class Server {
  static final Map<String, List<String>> EVENTS = new ConcurrentHashMap<>();
  static final Callback LOG = Callback.from(() -> { }, error -> System.err.println(error));

  public static class Echo extends Session.Listener.AbstractAutoDemanding {
    final ServerWebSocketContainer container;
    final List<String> own = new CopyOnWriteArrayList<>();
    volatile Throwable error;

    Echo(ServerWebSocketContainer container) {
      this.container = container;
    }

    void obey(String line) {
      String[] words = line.split(" ", 3);
      Session session = getSession();
      try {
        switch (words[0]) {
          case "hello" -> session.sendText("finwait:v1 close terminate fill kick-all events", LOG);
          case "close" -> close(session, words);
          case "terminate" -> session.disconnect();
          case "fill" -> {
            for (int left = Integer.parseInt(words[1]); left > 0; left -= 65536) session.sendText("f".repeat(Math.min(left, 65536)), LOG);
          }
          case "kick-all" -> {
            for (Session each : container.getOpenSessions()) close(each, words);
          }
          case "events" -> session.sendText(EVENTS.getOrDefault(words[1], List.of()).toString(), LOG);
          default -> { }
        }
      } catch (RuntimeException e) {
        System.err.println(e);
      }
    }

    static void close(Session session, String[] words) {
      if (words.length == 1) session.close();
      else session.close(Integer.parseInt(words[1]), words.length == 2 ? null : words[2], LOG);
    }

    @Override
    public void onWebSocketOpen(Session session) {
      super.onWebSocketOpen(session);
      Map<String, List<String>> query = session.getUpgradeRequest().getParameterMap();
      if (query.containsKey("finwait")) EVENTS.put(query.get("finwait").get(0), own);
      if (!query.containsKey("finwait-open")) return;
      session.sendText("finwait:opened", LOG);
      obey(query.get("finwait-open").get(0));
    }

    @Override
    public void onWebSocketText(String text) {
      if (text.startsWith("finwait:")) obey(text.substring("finwait:".length()));
      else getSession().sendText(text, LOG);
    }

    @Override
    public void onWebSocketBinary(ByteBuffer data, Callback callback) {
      getSession().sendBinary(data, callback);
    }

    @Override
    public void onWebSocketError(Throwable cause) {
      System.err.println(cause);
      error = cause;
    }

    @Override
    public void onWebSocketClose(int code, String reason, Callback callback) {
      String at = Instant.now().toString();
      String told = error == null ? "" : ", \"error\": " + json(error.toString());
      own.add("{\"code\": " + code + ", \"reason\": " + json(reason) + ", \"clean\": null, \"at\": " + json(at) + told + "}");
      callback.succeed();
    }
  }

  static String json(String text) {
    if (text == null) return "null";
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) quoted.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
    return quoted.append('"').toString();
  }

  public static void main(String[] args) throws Exception {
    org.eclipse.jetty.server.Server server = new org.eclipse.jetty.server.Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    connector.setPort(Integer.parseInt(System.getenv("PORT")));
    server.addConnector(connector);
    server.setHandler(WebSocketUpgradeHandler.from(server,
        container -> container.addMapping("/*", (request, response, callback) -> new Echo(container))));
    server.start();
    System.out.println("listening 127.0.0.1:" + connector.getLocalPort());
  }
}
