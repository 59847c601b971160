// An echo server as the minimal examples of libwebsockets show it, with
// finwait's control contract (docs/contract.md).
#define _GNU_SOURCE
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct message { struct message *next; size_t len; int binary; unsigned char data[]; };
struct event { struct event *next; char token[64], json[1024]; };

struct session { // lws allocates one for each connection, zeroed
	struct session *next;
	struct lws *wsi;
	char token[64], open[256];
	struct message *queue;          // what lws is to send, one each time that it says writeable
	size_t fill;                    // bytes to send after the queue
	char *rx; size_t rx_len;        // the message so far: lws hands it over in pieces
	enum { OPEN, WANTED, CLOSE_SENT } closing;
	int code;                       // of our own close
	char reason[125];
	int peer_code;                  // of the peer's Close, or 0
	char peer_reason[125];
};

static struct session *sessions;
static struct event *events;

static void queue(struct session *s, const void *data, size_t len, int binary) {
	struct message *m = malloc(sizeof *m + LWS_PRE + len), **end = &s->queue;
	*m = (struct message){ .len = len, .binary = binary };
	memcpy(m->data + LWS_PRE, data, len);
	while (*end) end = &(*end)->next;
	*end = m;
	lws_callback_on_writable(s->wsi);
}

static void answer(struct session *s, const char *text) { queue(s, text, strlen(text), 0); }

// To close is to return nonzero from a callback. lws_close_reason before it has no
// default code; without lws_close_reason lws sends no Close frame at all.
static int close_now(struct session *s) {
	s->closing = CLOSE_SENT;
	lws_close_reason(s->wsi, s->code, (unsigned char *)s->reason, strlen(s->reason));
	return -1;
}

static void want_close(struct session *s, const char *args) {
	int at = 0;
	if (s->closing) return;
	s->closing = WANTED;
	s->fill = 0;
	s->code = LWS_CLOSE_STATUS_NORMAL;
	if (sscanf(args, "%d %n", &s->code, &at) > 0) snprintf(s->reason, sizeof s->reason, "%s", args + at);
	lws_callback_on_writable(s->wsi);
}

static void answer_events(struct session *s, const char *token) {
	char *all = strdup("["), *more;
	for (struct event *e = events; e; e = e->next) {
		if (strcmp(e->token, token)) continue;
		if (asprintf(&more, "%s%s%s", all, all[1] ? "," : "", e->json) < 0) abort();
		free(all);
		all = more;
	}
	if (asprintf(&more, "%s]", all) < 0) abort();
	answer(s, more);
	free(all);
	free(more);
}

// Returns nonzero where the connection is to be closed now.
static int obey(struct session *s, const char *line) {
	char name[32] = "";
	int at = 0;
	sscanf(line, "%31s %n", name, &at);
	const char *args = line + at;
	if (!strcmp(name, "hello")) answer(s, "finwait:v1 close terminate fill kick-all events");
	else if (!strcmp(name, "close")) want_close(s, args);
	else if (!strcmp(name, "kick-all")) for (struct session *each = sessions; each; each = each->next) want_close(each, args);
	else if (!strcmp(name, "terminate")) lws_set_timeout(s->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
	else if (!strcmp(name, "fill")) s->fill = strtoul(args, NULL, 10), lws_callback_on_writable(s->wsi);
	else if (!strcmp(name, "events")) answer_events(s, args);
	// What is queued goes out before the close; where the peer reads nothing, it is not waited for.
	return s->closing == WANTED && (!s->queue || lws_send_pipe_choked(s->wsi)) ? close_now(s) : 0;
}

static int received(struct session *s, const char *in, size_t len) {
	int result = 0;
	s->rx = realloc(s->rx, s->rx_len + len + 1);
	memcpy(s->rx + s->rx_len, in, len);
	s->rx_len += len;
	s->rx[s->rx_len] = 0;
	if (lws_remaining_packet_payload(s->wsi) || !lws_is_final_fragment(s->wsi)) return 0;
	if (!lws_frame_is_binary(s->wsi) && !strncmp(s->rx, "finwait:", 8)) result = obey(s, s->rx + 8);
	else if (!s->closing) queue(s, s->rx, s->rx_len, lws_frame_is_binary(s->wsi));
	s->rx_len = 0;
	return result;
}

static int writeable(struct session *s) {
	struct message *m = s->queue;
	if (s->closing == CLOSE_SENT) return 0;
	if (!m && s->fill) {
		static char f[65536];
		memset(f, 'f', sizeof f);
		size_t n = s->fill < sizeof f ? s->fill : sizeof f;
		queue(s, f, n, 0);
		s->fill -= n;
		m = s->queue;
	}
	if (m) {
		int n = lws_write(s->wsi, m->data + LWS_PRE, m->len, m->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
		s->queue = m->next;
		free(m);
		if (n < 0) return -1;
	}
	if (*s->open) {
		char open[sizeof s->open];
		strcpy(open, s->open);
		*s->open = 0;
		return obey(s, open);
	}
	if (s->queue || s->fill) lws_callback_on_writable(s->wsi);
	return s->closing == WANTED && !s->queue ? close_now(s) : 0;
}

// LWS_CALLBACK_CLOSED is the event, and tells nothing by itself; the code is that of
// LWS_CALLBACK_WS_PEER_INITIATED_CLOSE before it, which comes where the peer was first.
static void closed(struct session *s) {
	struct event *e = calloc(1, sizeof *e);
	struct timespec t;
	char day[32], code[16] = "null", reason[800] = "null", *end = reason;
	clock_gettime(CLOCK_REALTIME, &t);
	strftime(day, sizeof day, "%FT%T", gmtime(&t.tv_sec));
	if (s->peer_code) {
		snprintf(code, sizeof code, "%d", s->peer_code);
		*end++ = '"';
		for (unsigned char *c = (unsigned char *)s->peer_reason; *c; c++)
			end += sprintf(end, *c < 0x20 || *c == '"' || *c == '\\' ? "\\u%04x" : "%c", *c);
		strcpy(end, "\"");
	}
	snprintf(e->token, sizeof e->token, "%s", s->token);
	snprintf(e->json, sizeof e->json, "{\"code\":%s,\"reason\":%s,\"clean\":null,\"at\":\"%s.%03ldZ\"}", code, reason, day, t.tv_nsec / 1000000);
	e->next = events;
	events = e;
	lws_start_foreach_llp(struct session **, p, sessions) {
		if (*p == s) { *p = s->next; break; }
	} lws_end_foreach_llp(p, next);
	for (struct message *m; (m = s->queue); free(m)) s->queue = m->next;
	free(s->rx);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
	struct session *s = user;
	char arg[256];
	const char *value;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		s->wsi = wsi;
		s->next = sessions;
		sessions = s;
		if ((value = lws_get_urlarg_by_name(wsi, "finwait=", arg, sizeof arg))) snprintf(s->token, sizeof s->token, "%s", value);
		if ((value = lws_get_urlarg_by_name(wsi, "finwait-open=", arg, sizeof arg))) {
			snprintf(s->open, sizeof s->open, "%s", value);
			answer(s, "finwait:opened");
		}
		return 0;
	case LWS_CALLBACK_RECEIVE:
		return received(s, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return writeable(s);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		if (len < 2) return 0;
		s->peer_code = ((unsigned char *)in)[0] << 8 | ((unsigned char *)in)[1];
		snprintf(s->peer_reason, sizeof s->peer_reason, "%.*s", (int)len - 2, (char *)in + 2);
		return 0;
	case LWS_CALLBACK_CLOSED:
		closed(s);
		return 0;
	default:
		return lws_callback_http_dummy(wsi, reason, user, in, len);
	}
}

int main(void) {
	struct lws_protocols protocols[] = { { "finwait", callback, sizeof(struct session), 0, 0, NULL, 0 }, { 0 } };
	struct lws_context_creation_info info = {
		.port = atoi(getenv("PORT")), .iface = "127.0.0.1", .protocols = protocols,
		.options = LWS_SERVER_OPTION_VALIDATE_UTF8, // as in lws's own minimal-ws-server-echo
	};
	lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
	struct lws_context *context = lws_create_context(&info);
	if (!context) return 1;
	printf("listening 127.0.0.1:%d\n", info.port);
	fflush(stdout);
	while (lws_service(context, 0) >= 0);
	lws_context_destroy(context);
}
