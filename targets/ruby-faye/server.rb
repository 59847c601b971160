# An echo server as the README of faye-websocket shows it, in Puma, with
# finwait's control contract (docs/contract.md).
require 'faye/websocket'
require 'json'
require 'puma'
require 'time'
require 'uri'

EVENTS = Hash.new { |events, token| events[token] = [] }
OPEN = {}

# There is no hard kill in the library, and so no finwait:terminate.
COMMANDS = {
  'hello' => ->(ws) { ws.send('finwait:v1 close fill kick-all events') },
  'close' => ->(ws, code = nil, reason = nil) { ws.close(*[code && Integer(code), reason].compact) },
  'fill' => lambda do |ws, n|
    left = Integer(n)
    while left > 0
      ws.send('f' * [left, 65_536].min)
      left -= 65_536
    end
  end,
  'kick-all' => ->(_, *close) { OPEN.keys.each { |ws| COMMANDS['close'].call(ws, *close) } },
  'events' => ->(ws, token) { ws.send(JSON.generate(EVENTS.fetch(token, []))) }
}

def obey(ws, line)
  name, rest = line.split(' ', 2)
  COMMANDS[name]&.call(ws, *rest.to_s.split(' ', 2))
rescue StandardError => e
  warn e.message # such as a close code that the library refuses
end

app = lambda do |env|
  return [200, {}, ['a WebSocket server']] unless Faye::WebSocket.websocket?(env)

  query = URI.decode_www_form(env['QUERY_STRING']).to_h
  ws = Faye::WebSocket.new(env)
  ws.on :open do
    OPEN[ws] = true
    if query['finwait-open']
      ws.send('finwait:opened')
      obey(ws, query['finwait-open'])
    end
  end
  ws.on :message do |event|
    if event.data.is_a?(String) && event.data.start_with?('finwait:')
      obey(ws, event.data.delete_prefix('finwait:'))
    else
      ws.send(event.data)
    end
  end
  ws.on :close do |event|
    OPEN.delete(ws)
    at = Time.now.utc.iso8601(3)
    EVENTS[query['finwait']] << { code: event.code, reason: event.reason, clean: nil, at: at } if query['finwait']
  end
  ws.rack_response
end

port = Integer(ENV.fetch('PORT'))
server = Puma::Server.new(app)
server.add_tcp_listener('127.0.0.1', port)
thread = server.run
puts "listening 127.0.0.1:#{port}"
$stdout.flush
thread.join
