package secret_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/finwait/finwait/internal/secret"
)

func TestMask(t *testing.T) {
	for text, want := range map[string]string{
		"ws://h/":                                      "ws://h/",
		"ws://user:S3CRET@h/":                          "ws://user:xxxxx@h/",
		"ws://:S3CRET@h/":                              "ws://:xxxxx@h/",
		"ws://S3CRET@h:80/@":                           "ws://xxxxx@h:80/@", // a token may stand alone
		"ws://user:S3'CRET@h/":                         "ws://user:xxxxx@h/",
		"ws://h:80/a@b":                                "ws://h:80/a@b",
		"ws://h?a=b@c":                                 "ws://h?a=b@c",
		"ws://h/p?room=1&token=S3CRET&x=2":             "ws://h/p?room=1&token=xxxxx&x=2",
		"(no WebSocket at /p?access_token=xxxxx?)":     "(no WebSocket at /p?access_token=xxxxx?)",
		"/?API_KEY=S3CRET;Passwd=S3CRET&pwd=S3CRET":    "/?API_KEY=xxxxx&pwd=xxxxx",
		"/?X-Amz-Signature=S3CRET&sig=S3CRET":          "/?X-Amz-Signature=xxxxx&sig=xxxxx",
		"/?%74oken=S3CRET&code=S3CRET&authCode=S3CRET": "/?%74oken=xxxxx&code=xxxxx&authCode=xxxxx",
		"/?sessionId=S3CRET&client_secret=S3CRET":      "/?sessionId=xxxxx&client_secret=xxxxx",
		"/?jwt=S3CRET&q=eyJhbGciOiJIUzI1NiJ9.S3CRET.S": "/?jwt=xxxxx&q=xxxxx",
		"/t/eyJhbGciOiJIUzI1NiJ9.S3CRET.S3CRET/x":      "/t/xxxxx/x",
		"/?h=Bearer%20S3CRET&h=Bearer+S3CRET":          "/?h=Bearer%20xxxxx&h=Bearer+xxxxx",
		"Authorization: Basic S3CRET":                  "Authorization: xxxxx",
		"curl -H 'X-Api-Key: S3CRET' http://h/":        "curl -H 'X-Api-Key: xxxxx' http://h/",
		"Cookie: a=S3CRET; b=S3CRET":                   "Cookie: xxxxx",
		"TOKEN=S3CRET node server.js --api-key=S3CRET": "TOKEN=xxxxx node server.js --api-key=xxxxx",
		`PASSWORD="S3CRET S3CRET" ./run`:               "PASSWORD=xxxxx ./run",
		"closed code=1006 clean=false":                 "closed code=1006 clean=false",
		"SyntaxError: Unexpected token: {":             "SyntaxError: Unexpected token: {",
		"/?finwait=abc&finwait-open=def":               "/?finwait=abc&finwait-open=def",
		"ws://h/#access_token=S3CRET":                  "ws://h/#access_token=xxxxx",
		"--threshold=20 %":                             "--threshold=20 %",
		"GET /?token=abc;S3CRET 200":                   "GET /?token=xxxxx 200",
		"/?token=abc'S3CRET&x=2":                       "/?token=xxxxx&x=2",
		`/?token=a"S3CRET`:                             "/?token=xxxxx",
		`/?token="S3CRET`:                              "/?token=xxxxx",
		`GET "/?token=S3CRET"`:                         `GET "/?token=xxxxx"`,
		"/?room=1;token=S3CRET":                        "/?room=1;token=xxxxx",
		"/?next=/x?token=S3CRET":                       "/?next=/x?token=xxxxx",
		"run --token S3CRET --port 1":                  "run --token xxxxx --port 1",
		"--api-key 'S3CRET S3CRET' x":                  "--api-key xxxxx x",
		"curl -u user:S3CRET http://h/":                "curl -u user:xxxxx http://h/",
		"curl --user 'user:S3 CRET' http://h/":         "curl --user xxxxx http://h/",
		`sh -c "x --token S3CRET" y`:                   `sh -c "x --token xxxxx" y`,
		`{"token":"S3C\"RET","room":"1"}`:              `{"token":xxxxx,"room":"1"}`,
		`{ 'x-api-key': 'S3CRET', a: 'b' }`:            `{ 'x-api-key': xxxxx, a: 'b' }`,
		`{ cookie: 'sid=S3CRET', a: 'b' }`:             `{ cookie: xxxxx, a: 'b' }`,
		`{ password: 'S3CRET' }`:                       `{ password: xxxxx }`,
		`Cookie: a="S3CRET"; b=S3CRET`:                 "Cookie: xxxxx",
		"SMTP_PASS=S3CRET2 REDIS_PW=x ./run":           "SMTP_PASS=xxxxx REDIS_PW=xxxxx ./run",
		`TOKEN="S3"CRET ./run`:                         "TOKEN=xxxxx ./run",
		`TOKEN='S3CRET S3CRET`:                         "TOKEN=xxxxx",
		"accessKey=S3CRET apikey=S3CRET":               "accessKey=xxxxx apikey=xxxxx",
		"--tokenize fast --token --port 1":             "--tokenize fast --token --port 1",
		"monkey=1 keyboard=us author=me":               "monkey=1 keyboard=us author=me",
		"passed=3 design=4 signal=TERM":                "passed=3 design=4 signal=TERM",
		"keys: a, b":                                   "keys: a, b",
		`close 4001 "session over"`:                    `close 4001 "session over"`,
		`{"cookie":["a=S3CRET","b=S3CRET"],"x":1}`:     `{"cookie":xxxxx],"x":1}`,
		"/?token=Bearer S3CRET":                        "/?token=xxxxx xxxxx",
		`ws://b:;TOKEN="/";@`:                          "ws://b:xxxxx@",
		"-u root":                                      "-u root",
		"db:\n  password: S3CRET\n  port: 1":           "db:\n  password: xxxxx\n  port: 1",
		"- db.passwd: S3CRET # why":                    "- db.passwd: xxxxx # why",
		"{user: me, secret: S3CRET, a: 1}":             "{user: me, secret: xxxxx, a: 1}",
		"api_key: S3CRET; token: S3CRETS3CRET":         "api_key: xxxxx; token: xxxxx",
		"key: open /dir/key1.pem: no such file":        "key: open /dir/key1.pem: no such file",
		"session: established, token: none":            "session: established, token: none",
		"secret.yaml:1:6: url":                         "secret.yaml:1:6: url",
		"password:":                                    "password:",
	} {
		if got := secret.Mask(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		} else if again := secret.Mask(got); again != got {
			t.Errorf("%s: masked again %s", got, again)
		}
	}
}

// TestKnown: what was sent is hidden wherever a server writes it.
func TestKnown(t *testing.T) {
	u, _ := url.Parse("ws://user:Pass%20word@h/?room=lobby&token=T1CKET")
	k := secret.Sent(u, http.Header{
		"Authorization":          {"Bearer B3ARER"},
		"Cookie":                 {"a=C00KIE; b=1"},
		"X-Api-Key":              {"K3YS"},
		"X-Auth-Token":           {`a/b&"c`},
		"X-Room":                 {"lobby"},
		"Sec-Websocket-Protocol": {"graphql-ws, S3CRETS3CRETS3CRET"},
	})
	for text, want := range map[string]string{
		"got Pass word, B3ARER, C00KIE, K3YS": "got xxxxx, xxxxx, xxxxx, xxxxx",
		"graphql-ws S3CRETS3CRETS3CRET":       "graphql-ws xxxxx",
		"user 1 in lobby: TOKEN=S3CRET":       "user 1 in lobby: TOKEN=xxxxx",
		"Pass+word Pass%20word Pas%73%20word": "xxxxx xxxxx xxxxx",
		`a%2fb&"c a/b&"c a\/b\u0026\"c`:       "xxxxx xxxxx xxxxx",
		"%61%2Fb%26%22c, a%2Fb&amp":           "xxxxx, a%2Fb&amp",
		"Basic dXNlcjpQYXNzIHdvcmQ=":          "Basic xxxxx",
		"the guest has T1CKET":                "the guest has xxxxx",
	} {
		if got := k.Mask(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if got := (secret.Known{}).Mask("TOKEN=S3CRET"); got != "TOKEN=xxxxx" {
		t.Error(got)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("a", "b")
	f.Add(`-u 'a:b' "cookie": "c"`, "x=1;token='a b' --key k")
	f.Fuzz(func(t *testing.T, before, after string) {
		text := before + " ws://h/?token=S3CRET " + after
		if got := secret.Mask(text); strings.Contains(got, "S3CRET") && strings.Count(text, "S3CRET") == 1 {
			t.Errorf("%q: %q", text, got)
		} else if again := secret.Mask(got); again != got {
			t.Errorf("%q: %q, masked again %q", text, got, again)
		}
	})
}
