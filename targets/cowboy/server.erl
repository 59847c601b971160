%% An echo server as the Cowboy User Guide shows it, with finwait's control
%% contract (docs/contract.md).
-module(server).
-export([start/0]).
-export([init/2, websocket_init/1, websocket_handle/2, websocket_info/2, terminate/3]).

start() ->
    Port = list_to_integer(os:getenv("PORT")),
    {ok, _} = application:ensure_all_started(cowboy),
    ets:new(events, [public, named_table, bag]),
    {ok, _} = pg:start(pg),
    Dispatch = cowboy_router:compile([{'_', [{'_', ?MODULE, []}]}]),
    {ok, _} = cowboy:start_clear(echo, [{ip, {127, 0, 0, 1}}, {port, Port}], #{env => #{dispatch => Dispatch}}),
    io:format("listening 127.0.0.1:~b~n", [Port]),
    receive stop -> ok end.

init(Req, _) ->
    {cowboy_websocket, Req, cowboy_req:parse_qs(Req)}.

websocket_init(Query) ->
    pg:join(open, self()),
    case lists:keyfind(<<"finwait-open">>, 1, Query) of
        {_, Line} ->
            {Frames, Query} = obey(Line, Query),
            {[{text, <<"finwait:opened">>} | Frames], Query};
        false ->
            {[], Query}
    end.

websocket_handle({text, <<"finwait:", Line/binary>>}, Query) -> obey(Line, Query);
websocket_handle({text, _} = Frame, Query) -> {[Frame], Query};
websocket_handle({binary, _} = Frame, Query) -> {[Frame], Query};
websocket_handle(_, Query) -> {[], Query}.

websocket_info({close, Frame}, Query) -> {[Frame], Query};
websocket_info({fill, N}, Query) when N > 0 ->
    self() ! {fill, N - 65536},
    {[{text, binary:copy(<<"f">>, min(N, 65536))}], Query};
websocket_info(_, Query) -> {[], Query}.

%% To close is to return a close frame from a callback.
obey(Line, Query) ->
    [Name | Args] = binary:split(Line, <<" ">>),
    {command(Name, Args), Query}.

command(<<"hello">>, _) -> [{text, <<"finwait:v1 close terminate fill kick-all events">>}];
command(<<"close">>, Args) -> [close_frame(Args)];
command(<<"kick-all">>, Args) ->
    [Pid ! {close, close_frame(Args)} || Pid <- pg:get_members(open)],
    [];
command(<<"terminate">>, _) -> exit(self(), kill), []; % Cowboy has no other way than Erlang's
command(<<"fill">>, [N]) -> self() ! {fill, binary_to_integer(N)}, [];
command(<<"events">>, [Token]) ->
    [{text, [$[, lists:join($,, [E || {_, E} <- ets:lookup(events, Token)]), $]]}];
command(_, _) -> [].

close_frame([]) -> close;
close_frame([Args]) ->
    case binary:split(Args, <<" ">>) of
        [Code] -> {close, binary_to_integer(Code), <<>>};
        [Code, Reason] -> {close, binary_to_integer(Code), Reason}
    end.

%% terminate/3 is Cowboy's close event; it knows a code where the peer closed with one.
terminate(Why, _Req, Query) ->
    {Code, Reason, Error} = case Why of
        {remote, C, R} -> {integer_to_binary(C), quoted(R), <<>>};
        remote -> {<<"null">>, <<"null">>, <<>>};
        stop -> {<<"null">>, <<"null">>, <<>>};
        _ -> {<<"null">>, <<"null">>, [<<",\"error\":">>, quoted(iolist_to_binary(io_lib:format("~0p", [Why])))]}
    end,
    At = calendar:system_time_to_rfc3339(erlang:system_time(millisecond), [{unit, millisecond}, {offset, "Z"}]),
    case is_list(Query) andalso lists:keyfind(<<"finwait">>, 1, Query) of
        {_, Token} ->
            ets:insert(events, {Token, iolist_to_binary([<<"{\"code\":">>, Code, <<",\"reason\":">>, Reason,
                <<",\"clean\":null,\"at\":\"">>, At, <<"\"">>, Error, <<"}">>])});
        false -> ok
    end,
    ok.

quoted(Text) ->
    [$", [case C of
        _ when C < 32; C =:= $"; C =:= $\\ -> io_lib:format("\\u~4.16.0b", [C]);
        _ -> C
    end || <<C>> <= Text], $"].
