# An echo server as the Mojolicious guides show it, with finwait's control
# contract (docs/contract.md).
use Mojolicious::Lite -signatures;
use Mojo::IOLoop;
use Mojo::JSON qw(encode_json);
use Mojo::Server::Daemon;
use POSIX qw(strftime);
use Time::HiRes;

my (%open, %events);

sub now {
  my $time = Time::HiRes::time;
  return strftime('%FT%T', gmtime $time) . sprintf '.%03dZ', ($time - int $time) * 1000;
}

my %commands = (
  hello     => sub ($c, @) { $c->send('finwait:v1 close terminate fill kick-all events') },
  close     => sub ($c, @close) { $c->finish($close[0] ? ($close[0] + 0, @close[1 .. $#close]) : ()) },
  terminate => sub ($c, @) { Mojo::IOLoop->stream($c->tx->connection)->close },
  fill      => sub ($c, $left, @) {
    for (; $left > 0; $left -= 65536) { $c->send('f' x ($left < 65536 ? $left : 65536)) }
  },
  events => sub ($c, $token, @) { $c->send({json => $events{$token} // []}) },
);
$commands{'kick-all'} = sub ($, @close) { $commands{close}->($_, @close) for values %open };

sub obey ($c, $line) {
  my ($name, @args) = split / /, $line, $line =~ /^(?:close|kick-all) / ? 3 : 2;
  my $command = $commands{$name} or return;
  eval { $command->($c, @args); 1 } or warn $@;
}

websocket '/*any' => {any => ''} => sub ($c) {
  my $token = $c->param('finwait');
  $open{$c->tx->connection} = $c;
  my $connection = $c->tx->connection;

  $c->on(text => sub ($c, $bytes) {
    if ($bytes =~ /^finwait:(.*)/s) { obey($c, Mojo::Util::decode('UTF-8', $1) // $1) }
    else                            { $c->send({text => $bytes}) }
  });
  $c->on(binary => sub ($c, $bytes) { $c->send({binary => $bytes}) });
  $c->on(finish => sub ($c, $code, $reason) {
    delete $open{$connection};
    push @{$events{$token}}, {code => $code, reason => $reason, clean => undef, at => now()} if defined $token;
  });

  if (defined(my $line = $c->param('finwait-open'))) {
    $c->send('finwait:opened');
    obey($c, $line);
  }
};

my $daemon = Mojo::Server::Daemon->new(app => app, listen => ["http://127.0.0.1:$ENV{PORT}"], silent => 1);
$daemon->start;
$| = 1;
print "listening 127.0.0.1:$ENV{PORT}\n";
Mojo::IOLoop->start;
