// An echo server as the WebSocket examples of Netty show it, with finwait's
// control contract (docs/contract.md).
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler.HandshakeComplete;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

public class Server {
  static final Map<String, List<String>> EVENTS = new ConcurrentHashMap<>();
  static final ChannelGroup OPEN = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);

  static class Echo extends SimpleChannelInboundHandler<WebSocketFrame> {
    final List<String> own = new CopyOnWriteArrayList<>();
    Throwable error;

    void obey(Channel channel, String line) {
      String[] words = line.split(" ", 3);
      try {
        switch (words[0]) {
          case "hello" -> send(channel, "finwait:v1 close terminate fill kick-all events");
          case "close" -> close(channel, words);
          case "terminate" -> channel.pipeline().firstContext().close(); // past the protocol handler, whose close sends a Close
          case "fill" -> {
            for (int left = Integer.parseInt(words[1]); left > 0; left -= 65536) send(channel, "f".repeat(Math.min(left, 65536)));
          }
          case "kick-all" -> OPEN.forEach(each -> close(each, words));
          case "events" -> send(channel, EVENTS.getOrDefault(words[1], List.of()).toString());
          default -> { }
        }
      } catch (RuntimeException e) {
        System.err.println(e);
      }
    }

    static void send(Channel channel, String text) {
      channel.writeAndFlush(new TextWebSocketFrame(text));
    }

    static void close(Channel channel, String[] words) {
      if (words.length == 1) channel.close(); // sends a Close first: sendCloseFrame of the configuration
      else channel.writeAndFlush(new CloseWebSocketFrame(Integer.parseInt(words[1]), words.length == 2 ? "" : words[2])).addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
      if (!(event instanceof HandshakeComplete handshake)) return;
      OPEN.add(ctx.channel());
      Map<String, List<String>> query = new QueryStringDecoder(handshake.requestUri()).parameters();
      if (query.containsKey("finwait")) EVENTS.put(query.get("finwait").get(0), own);
      if (!query.containsKey("finwait-open")) return;
      send(ctx.channel(), "finwait:opened");
      obey(ctx.channel(), query.get("finwait-open").get(0));
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
      if (frame instanceof TextWebSocketFrame text && text.text().startsWith("finwait:")) obey(ctx.channel(), text.text().substring("finwait:".length()));
      else ctx.writeAndFlush(frame.retain());
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      System.err.println(cause);
      error = cause; // the protocol handler closes
    }

    /** The protocol handler keeps Close frames to itself: this is all that is told. */
    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
      String at = Instant.now().toString();
      String told = error == null ? "" : ", \"error\": " + json(error.toString());
      own.add("{\"code\": null, \"reason\": null, \"clean\": null, \"at\": " + json(at) + told + "}");
    }
  }

  static String json(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) quoted.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
    return quoted.append('"').toString();
  }

  public static void main(String[] args) throws Exception {
    WebSocketServerProtocolConfig config = WebSocketServerProtocolConfig.newBuilder().websocketPath("/").checkStartsWith(true).build();
    EventLoopGroup group = new MultiThreadIoEventLoopGroup(NioIoHandler.newFactory());
    Channel listener = new ServerBootstrap()
        .group(group)
        .channel(NioServerSocketChannel.class)
        .childHandler(new ChannelInitializer<Channel>() {
          @Override
          protected void initChannel(Channel channel) {
            channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(65536), new WebSocketServerProtocolHandler(config), new Echo());
          }
        })
        .bind("127.0.0.1", Integer.parseInt(System.getenv("PORT"))).sync().channel();
    System.out.println("listening " + listener.localAddress());
  }
}
