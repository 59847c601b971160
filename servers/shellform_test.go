package servers

import "testing"

func TestDirect(t *testing.T) {
	for line, want := range map[string]string{
		"node server.js":                        "exec node server.js",
		"NODE_ENV=production node server.js":    "NODE_ENV=production exec node server.js",
		`A=1 B="b c" C='d e' node server.js`:    `A=1 B="b c" C='d e' exec node server.js`,
		"PORT={port} exec node server.js":       "PORT={port} exec node server.js",
		"A=${B:-c d} node server.js":            "A=${B:-c d} node server.js", // not understood
		"exec node server.js":                   "exec node server.js",
		"make && node server.js":                "make && node server.js",
		"A=`echo 1 2` node --title=x server.js": "A=`echo 1 2` node --title=x server.js",
		"node --title=x server.js":              "exec node --title=x server.js",

		// White space around it, and tabs.
		"node server.js\n":               "exec node server.js",
		"\n\t node server.js \r\n\n":     "exec node server.js",
		"A=1\tnode\tserver.js":           "A=1\texec node\tserver.js",
		"exec\tnode server.js":           "exec\tnode server.js",
		"cd app\nnode server.js\n":       "cd app\nnode server.js",
		"node \\\n  server.js":           "exec node \\\n  server.js",
		"# the server\nnode server.js":   "# the server\nnode server.js",
		"# no command":                   "# no command",
		"":                               "",
		" \n":                            "",
		"A=1":                            "A=1",
		"A=1 ":                           "A=1",
		"cat <<END\nnode server.js\nEND": "cat <<END\nnode server.js\nEND",

		// Comments, and lines that go on.
		"node server.js # it's the server; & more": "exec node server.js # it's the server; & more",
		"node server.js\t#":                        "exec node server.js\t#",
		"node a#b '#c' \\#d":                       "exec node a#b '#c' \\#d",
		"node \\ #x":                               "exec node \\ #x",
		"A=1 # node server.js":                     "A=1 # node server.js",
		"node server.js # the server\necho":        "node server.js # the server\necho",
		"A=1 \\\n  cd /":                           "A=1 \\\n  cd /",
		"A=1 \\\n\tnode \\\n\tserver.js":           "A=1 \\\n\texec node \\\n\tserver.js",
		"node \"a\\\nb\" server.js":                "exec node \"a\\\nb\" server.js",
		"A=1\\\n2 node server.js":                  "A=1\\\n2 node server.js",
		"ex\\\nit 3":                               "ex\\\nit 3",

		// Variables in assignments.
		"A=$HOME node server.js":       "A=$HOME exec node server.js",
		"A=$HOME/x:${B}:c node s.js":   "A=$HOME/x:${B}:c exec node s.js",
		"A=$(cat name) node server.js": "A=$(cat name) node server.js",
		"A=$((1+1)) node server.js":    "A=$((1+1)) node server.js",
		"A=$B":                         "A=$B",
		"$SERVER --port 1":             "exec $SERVER --port 1",

		// The shell's own words.
		". env":                  ". env",
		".\tenv":                 ".\tenv",
		": nothing":              ": nothing",
		"eval node server.js":    "eval node server.js",
		"command node server.js": "command node server.js",
		"exec":                   "exec",
		"! node server.js":       "! node server.js",
		"!\tnode server.js":      "!\tnode server.js",
		"exit 3":                 "exit 3",
		"exit":                   "exit",
		"cd /":                   "cd /",
		"A=1 cd /":               "A=1 cd /",
		"time node server.js":    "time node server.js",
		"{ node server.js":       "{ node server.js",
		"source env":             "source env",
		"./exit 3":               "exec ./exit 3",
		"env A=1 node server.js": "exec env A=1 node server.js",

		// What is quoted is no operator; a redirection belongs to the command.
		`node -e "a(); b('c')"`:                `exec node -e "a(); b('c')"`,
		`python3 -c 'import a; a.b()'`:         `exec python3 -c 'import a; a.b()'`,
		`"/opt/my server/run" --url a\&b`:      `exec "/opt/my server/run" --url a\&b`,
		`node "$HOME/it's.js" \"`:              `exec node "$HOME/it's.js" \"`,
		`A="$B c" node server.js`:              `A="$B c" exec node server.js`,
		`node "$(cat name; echo)"`:             `node "$(cat name; echo)"`,
		`node $(cat name)`:                     `node $(cat name)`,
		`node 'no end; echo`:                   `node 'no end; echo`,
		`node server.js >log 2>&1`:             `exec node server.js >log 2>&1`,
		`>log node server.js`:                  `>log exec node server.js`,
		`2>log node server.js`:                 `2>log exec node server.js`,
		`2>&1 node server.js`:                  `2>&1 exec node server.js`,
		`>>"a log" A=1 </dev/null node s.js`:   `>>"a log" A=1 </dev/null exec node s.js`,
		`> log 2>&1 node server.js`:            `> log 2>&1 exec node server.js`,
		`> $LOG node server.js`:                `> $LOG exec node server.js`,
		`2>&1 cd app`:                          `2>&1 cd app`,
		`>log`:                                 `>log`,
		`>log `:                                `>log`,
		`>|log node server.js`:                 `>|log node server.js`,
		`&>log node server.js`:                 `&>log node server.js`,
		`node server.js &`:                     `node server.js &`,
		`node server.js 2>&1 | tee log`:        `node server.js 2>&1 | tee log`,
		`node server.js &>log`:                 `node server.js &>log`,
		`echo 'a;b'; node server.js`:           `echo 'a;b'; node server.js`,
		`node "a" "b;" ; echo "c"`:             `node "a" "b;" ; echo "c"`,
		`node '"' ; echo '"'`:                  `node '"' ; echo '"'`,
		`node \' ; echo \'`:                    `node \' ; echo \'`,
		`X='a b'\''c' node server.js`:          `X='a b'\''c' exec node server.js`,
		`X=a\ b node server.js`:                `X=a\ b exec node server.js`,
		`{port}`:                               `exec {port}`,
		`serve --listen 127.0.0.1:{port}`:      `exec serve --listen 127.0.0.1:{port}`,
		`serve "a$" ; echo`:                    `serve "a$" ; echo`,
		"serve `cat a; cat b`":                 "serve `cat a; cat b`",
		"serve --pattern a*b --home ~/x $ARGS": "exec serve --pattern a*b --home ~/x $ARGS",
	} {
		if got := withExec(line); got != want {
			t.Errorf("%q became %q, want %q", line, got, want)
		}
	}
}
