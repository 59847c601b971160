// An echo server as the examples of Undertow show it, with finwait's control
// contract (docs/contract.md).
import io.undertow.Handlers;
import io.undertow.Undertow;
import io.undertow.websockets.core.AbstractReceiveListener;
import io.undertow.websockets.core.BufferedBinaryMessage;
import io.undertow.websockets.core.BufferedTextMessage;
import io.undertow.websockets.core.CloseMessage;
import io.undertow.websockets.core.WebSocketCallback;
import io.undertow.websockets.core.WebSocketChannel;
import io.undertow.websockets.core.WebSockets;
import io.undertow.websockets.spi.WebSocketHttpExchange;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

public class Server {
  static final Map<String, List<String>> EVENTS = new ConcurrentHashMap<>();

  static class Echo extends AbstractReceiveListener {
    final List<String> own = new CopyOnWriteArrayList<>();
    volatile boolean told;
    volatile Throwable error;

    static void obey(WebSocketChannel channel, String line) {
      String[] words = line.split(" ", 3);
      try {
        switch (words[0]) {
          case "hello" -> WebSockets.sendText("finwait:v1 close terminate fill kick-all events", channel, null);
          case "close" -> close(channel, words);
          case "terminate" -> channel.close(); // "Forcibly closes" it
          case "fill" -> fill(channel, Integer.parseInt(words[1]));
          case "kick-all" -> {
            for (WebSocketChannel each : channel.getPeerConnections()) close(each, words);
          }
          case "events" -> WebSockets.sendText(EVENTS.getOrDefault(words[1], List.of()).toString(), channel, null);
          default -> { }
        }
      } catch (IOException | RuntimeException e) {
        System.err.println(e);
      }
    }

    /** One message after the other: with 50 in its queue the channel would stop to read. */
    static void fill(WebSocketChannel channel, int left) {
      if (left <= 0) return;
      WebSockets.sendText("f".repeat(Math.min(left, 65536)), channel, new WebSocketCallback<Void>() {
        @Override
        public void complete(WebSocketChannel channel, Void context) {
          fill(channel, left - 65536);
        }

        @Override
        public void onError(WebSocketChannel channel, Void context, Throwable error) {
          System.err.println(error);
        }
      });
    }

    static void close(WebSocketChannel channel, String[] words) throws IOException {
      if (words.length == 1) channel.sendClose();
      else WebSockets.sendClose(Integer.parseInt(words[1]), words.length == 2 ? null : words[2], channel, null);
    }

    void onConnect(WebSocketHttpExchange exchange, WebSocketChannel channel) {
      Map<String, List<String>> query = exchange.getRequestParameters();
      if (query.containsKey("finwait")) EVENTS.put(query.get("finwait").get(0), own);
      channel.addCloseTask(this::onClosed);
      channel.getReceiveSetter().set(this);
      channel.resumeReceives();
      if (!query.containsKey("finwait-open")) return;
      WebSockets.sendText("finwait:opened", channel, null);
      obey(channel, query.get("finwait-open").get(0));
    }

    @Override
    protected void onFullTextMessage(WebSocketChannel channel, BufferedTextMessage message) {
      String text = message.getData();
      if (text.startsWith("finwait:")) obey(channel, text.substring("finwait:".length()));
      else WebSockets.sendText(text, channel, null);
    }

    @Override
    protected void onFullBinaryMessage(WebSocketChannel channel, BufferedBinaryMessage message) {
      try (var data = message.getData()) {
        WebSockets.sendBinary(WebSockets.mergeBuffers(data.getResource()), channel, null);
      }
    }

    @Override
    protected void onCloseMessage(CloseMessage close, WebSocketChannel channel) {
      told = true;
      add(String.valueOf(close.getCode()), close.getReason());
    }

    @Override
    protected void onError(WebSocketChannel channel, Throwable cause) {
      System.err.println(cause);
      error = cause;
      super.onError(channel, cause);
    }

    /** The close task comes when all is over: it is the event of a connection that onCloseMessage was never called for. */
    void onClosed(WebSocketChannel channel) {
      if (!told) add(null, null);
    }

    void add(String code, String reason) {
      String at = Instant.now().toString();
      String cause = error == null ? "" : ", \"error\": " + json(error.toString());
      own.add("{\"code\": " + code + ", \"reason\": " + json(reason) + ", \"clean\": null, \"at\": " + json(at) + cause + "}");
    }
  }

  static String json(String text) {
    if (text == null) return "null";
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) quoted.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
    return quoted.append('"').toString();
  }

  public static void main(String[] args) {
    int port = Integer.parseInt(System.getenv("PORT"));
    Undertow.builder()
        .addHttpListener(port, "127.0.0.1")
        .setHandler(Handlers.websocket((exchange, channel) -> new Echo().onConnect(exchange, channel)))
        .build()
        .start();
    System.out.println("listening 127.0.0.1:" + port);
  }
}
