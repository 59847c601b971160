// An echo server as the documentation of Vert.x core shows it, with finwait's
// control contract (docs/contract.md). There is no hard kill: WebSocketBase has
// close() and shutdown(), and both send a Close.
import io.netty.handler.codec.http.QueryStringDecoder;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.ServerWebSocket;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

public class Server {
  static final Map<String, JsonArray> EVENTS = new ConcurrentHashMap<>();
  static final Set<ServerWebSocket> OPEN = ConcurrentHashMap.newKeySet();

  static void obey(ServerWebSocket socket, String line) {
    String[] words = line.split(" ", 3);
    try {
      switch (words[0]) {
        case "hello" -> socket.writeTextMessage("finwait:v1 close fill kick-all events");
        case "close" -> close(socket, words);
        case "fill" -> {
          for (int left = Integer.parseInt(words[1]); left > 0; left -= 65536) socket.writeTextMessage("f".repeat(Math.min(left, 65536)));
        }
        case "kick-all" -> OPEN.forEach(each -> close(each, words));
        case "events" -> socket.writeTextMessage(EVENTS.getOrDefault(words[1], new JsonArray()).encode());
        default -> { }
      }
    } catch (RuntimeException e) {
      System.err.println(e);
    }
  }

  static void close(ServerWebSocket socket, String[] words) {
    Future<Void> closed;
    if (words.length == 1) closed = socket.close();
    else if (words.length == 2) closed = socket.close(Short.parseShort(words[1]));
    else closed = socket.close(Short.parseShort(words[1]), words[2]);
    closed.onFailure(System.err::println);
  }

  static void accept(ServerWebSocket socket) {
    Map<String, List<String>> query = new QueryStringDecoder(socket.uri()).parameters();
    JsonArray own = new JsonArray();
    Throwable[] error = {null};
    if (query.containsKey("finwait")) EVENTS.put(query.get("finwait").get(0), own);
    OPEN.add(socket);

    socket.exceptionHandler(cause -> {
      System.err.println(cause);
      error[0] = cause;
    });
    socket.closeHandler(nothing -> {
      JsonObject event = new JsonObject().put("code", socket.closeStatusCode()).put("reason", socket.closeReason()).putNull("clean").put("at", Instant.now().toString());
      if (error[0] != null) event.put("error", error[0].toString());
      own.add(event);
      OPEN.remove(socket);
    });
    socket.textMessageHandler(text -> {
      if (text.startsWith("finwait:")) obey(socket, text.substring("finwait:".length()));
      else socket.writeTextMessage(text);
    });
    socket.binaryMessageHandler(socket::writeBinaryMessage);

    if (query.containsKey("finwait-open")) {
      socket.writeTextMessage("finwait:opened");
      obey(socket, query.get("finwait-open").get(0));
    }
  }

  public static void main(String[] args) {
    Vertx.vertx().createHttpServer()
        .webSocketHandler(Server::accept)
        .listen(Integer.parseInt(System.getenv("PORT")), "127.0.0.1")
        .onSuccess(server -> System.out.println("listening 127.0.0.1:" + server.actualPort()))
        .onFailure(cause -> {
          System.err.println(cause);
          System.exit(1);
        });
  }
}
