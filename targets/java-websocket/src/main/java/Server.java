// An echo server as the README of Java-WebSocket shows it, with finwait's control
// contract (docs/contract.md).
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.java_websocket.WebSocket;
import org.java_websocket.framing.CloseFrame;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.server.WebSocketServer;

public class Server extends WebSocketServer {
  static final Map<String, List<String>> EVENTS = new ConcurrentHashMap<>();

  /** What the callbacks of one connection share: its attachment. */
  static class Own {
    final List<String> events = new CopyOnWriteArrayList<>();
    volatile Exception error;
  }

  Server(int port) {
    super(new InetSocketAddress("127.0.0.1", port));
  }

  void obey(WebSocket conn, String line) {
    String[] words = line.split(" ", 3);
    try {
      switch (words[0]) {
        case "hello" -> conn.send("finwait:v1 close terminate fill kick-all events");
        case "close" -> close(conn, words);
        case "terminate" -> conn.closeConnection(CloseFrame.ABNORMAL_CLOSE, ""); // "immediately without a proper close handshake"
        case "fill" -> {
          for (int left = Integer.parseInt(words[1]); left > 0; left -= 65536) conn.send("f".repeat(Math.min(left, 65536)));
        }
        case "kick-all" -> {
          for (WebSocket each : getConnections()) close(each, words);
        }
        case "events" -> conn.send(EVENTS.getOrDefault(words[1], List.of()).toString());
        default -> { }
      }
    } catch (RuntimeException e) {
      System.err.println(e);
    }
  }

  static void close(WebSocket conn, String[] words) {
    if (words.length == 1) conn.close();
    else if (words.length == 2) conn.close(Integer.parseInt(words[1]));
    else conn.close(Integer.parseInt(words[1]), words[2]);
  }

  @Override
  public void onOpen(WebSocket conn, ClientHandshake handshake) {
    Own own = new Own();
    conn.setAttachment(own);
    String token = parameter(handshake.getResourceDescriptor(), "finwait");
    if (token != null) EVENTS.put(token, own.events);
    String command = parameter(handshake.getResourceDescriptor(), "finwait-open");
    if (command == null) return;
    conn.send("finwait:opened");
    obey(conn, command);
  }

  @Override
  public void onMessage(WebSocket conn, String text) {
    if (text.startsWith("finwait:")) obey(conn, text.substring("finwait:".length()));
    else conn.send(text);
  }

  @Override
  public void onMessage(WebSocket conn, ByteBuffer data) {
    conn.send(data);
  }

  @Override
  public void onClose(WebSocket conn, int code, String reason, boolean remote) {
    String at = Instant.now().toString();
    if (!(conn.<Object>getAttachment() instanceof Own own)) return; // it was never opened
    String error = own.error == null ? "" : ", \"error\": " + json(own.error.toString());
    own.events.add("{\"code\": " + code + ", \"reason\": " + json(reason) + ", \"clean\": null, \"remote\": " + remote
        + ", \"at\": " + json(at) + error + "}");
  }

  @Override
  public void onError(WebSocket conn, Exception error) {
    System.err.println(error);
    if (conn != null && conn.<Object>getAttachment() instanceof Own own) own.error = error;
  }

  @Override
  public void onStart() {
    System.out.println("listening 127.0.0.1:" + getPort());
  }

  static String parameter(String resource, String name) {
    for (String pair : resource.substring(resource.indexOf('?') + 1).split("&")) {
      if (pair.startsWith(name + "=")) return URLDecoder.decode(pair.substring(name.length() + 1), StandardCharsets.UTF_8);
    }
    return null;
  }

  static String json(String text) {
    if (text == null) return "null";
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) quoted.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
    return quoted.append('"').toString();
  }

  public static void main(String[] args) {
    Server server = new Server(Integer.parseInt(System.getenv("PORT")));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        server.stop(10_000);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }));
    server.start();
  }
}
