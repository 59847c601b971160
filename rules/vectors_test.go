package rules_test

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
)

var update = flag.Bool("update", false, "write what the rules say now into the vectors: their lines want, got and missing")

// subjects are the rules that have vectors, by their names in Go.
func subjects() map[string]rules.Rule {
	crowd := rules.CrowdEvents()
	return map[string]rules.Rule{
		"Answered": rules.Answered, "AnsweredOrReset": rules.AnsweredOrReset, "AnsweredInTime": rules.AnsweredInTime,
		"AnswerCode": rules.AnswerCode, "EmptyNot1005": rules.EmptyNot1005, "WellFormed": rules.WellFormed,
		"NothingAfterClose": rules.NothingAfterClose, "OneClose": rules.OneClose, "ClosesTCP": rules.ClosesTCP,
		"ClosesFirst": rules.ClosesFirst, "ClosesCleanly": rules.ClosesCleanly, "ClosesTLSCleanly": rules.ClosesTLSCleanly,
		"AnsweredInMessage": rules.AnsweredInMessage, `NotEchoedAfterClose("late")`: rules.NotEchoedAfterClose("late"),
		"LegalCode": rules.LegalCode, "LetsGoAfterClose": rules.LetsGoAfterClose,
		"IfAnswered(ClosesTCP)": rules.IfAnswered(rules.ClosesTCP)[0],

		"BothClosed": rules.BothClosed, `SendsCode(4001, "bye")`: rules.SendsCode(4001, "bye"),
		`SendsCodeUnlessRefused(1012, "")`: rules.SendsCodeUnlessRefused(1012, ""), "CodeOnWire": rules.CodeOnWire,
		"BoundedWait": rules.BoundedWait, "NotProlonged": rules.NotProlonged, "NotBlocked": rules.NotBlocked,
		"Terminated": rules.Terminated, "TerminatedSeen": rules.TerminatedSeen, "MessageFirst": rules.MessageFirst,

		"EventCode": rules.EventCode, "EventNoCode": rules.EventNoCode, "EventLost": rules.EventLost, "EventClean": rules.EventClean,
		"OneEvent": rules.OneEvent, "KillEvent": rules.KillEvent, "EventInTime": rules.EventInTime,
		"KillEventInTime": rules.KillEventInTime, "OneEventOnceReleased": rules.OneEventOnceReleased,
		"IfClosed(OneEvent)": rules.IfClosed(rules.OneEvent)[0],

		"ClosesAfterViolation": rules.ClosesAfterViolation, "FailsWithClose": rules.FailsWithClose, "FailsAtOnce": rules.FailsAtOnce,
		"LetsGoAfterViolation": rules.LetsGoAfterViolation, `NotProcessed("late")`: rules.NotProcessed("late"),
		"FailureCode(1007, 1002)": rules.FailureCode("RFC 6455, 8.1", 1007, 1002), "RefusedAsTooBig(4)": rules.RefusedAsTooBig(4),
		"HandshakeStatus": rules.HandshakeStatus,

		"LetsGoAfterTCPEnd": rules.LetsGoAfterTCPEnd, "EndsAfterFIN": rules.EndsAfterFIN, "Lifetime": rules.Lifetime,
		"LifetimeUnread":         rules.LifetimeUnread,
		`LastEcho("last words")`: rules.LastEcho("last words"), "Keepalive": rules.Keepalive,
		"KeepaliveDeclared": rules.KeepaliveDeclared, "Outage": rules.Outage, "LetsGoOfVanished": rules.LetsGoOfVanished,

		"EveryoneWarned": rules.EveryoneWarned, "ShutdownCode": rules.ShutdownCode, "EndsByKind": rules.EndsByKind,
		"Exits": rules.Exits, "ExitStatus": rules.ExitStatus, "NoneForgotten": rules.NoneForgotten,

		"EveryoneClosed(4001)": rules.EveryoneClosed(4001), `OthersUnharmed("still here")`: rules.OthersUnharmed("still here"),
		"CrowdReleased": rules.CrowdReleased, "EventCode-crowd": crowd[0], "EventLost-crowd": crowd[1], "OneEvent-crowd": crowd[2],

		"Alive": rules.Alive,
	}
}

// TestVectors judges each vector's record, and compares the outcome and the words.
func TestVectors(t *testing.T) {
	subjects := subjects()
	for _, v := range readVectors(t) {
		t.Run(v.file.Name, func(t *testing.T) {
			rule, ok := subjects[v.rule]
			if !ok || rule.ID != v.id {
				t.Fatalf("%s: there is no rule %s %s", v.archive, v.id, v.rule)
			}
			if v.never {
				return // TestAnyRecord tries it
			}
			f := rule.Judge(v.record, v.profile)
			if f.Outcome != v.outcome {
				t.Errorf("%s: outcome %s, want %s", v.archive, f.Outcome, v.outcome)
			}
			if *update {
				v.rewrite(t, f)
			} else if diff := cmp.Diff(words(v.want, v.got, v.missing), words(f.Want, f.Got, f.Missing)); diff != "" {
				t.Errorf("%s: the words differ (-vector +rule):\n%s", v.archive, diff)
			}
		})
	}
}

// rewrite puts the words of the finding into the vector.
func (v *vector) rewrite(t *testing.T, f rules.Finding) {
	text, err := os.ReadFile(v.archive)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	i := slices.IndexFunc(archive.Files, func(file txtar.File) bool { return file.Name == v.file.Name })
	var data bytes.Buffer
	for line := range strings.Lines(string(archive.Files[i].Data)) {
		key, _, _ := strings.Cut(line, ":")
		if strings.TrimSpace(line) != "" && !slices.Contains([]string{"want", "got", "missing"}, key) {
			data.WriteString(line)
		}
	}
	data.WriteString(words(f.Want, f.Got, f.Missing) + "\n")
	archive.Files[i].Data = data.Bytes()
	if err := os.WriteFile(v.archive, txtar.Format(archive), 0o644); err != nil { //nolint:gosec // the tree's own mode
		t.Fatal(err)
	}
}

// words are what a finding says, as the lines of a vector.
func words(want, got string, missing evidence.Capability) string {
	out := "got: " + got + "\n"
	if want != "" {
		out = "want: " + want + "\n" + out
	}
	if missing != "" {
		out += "missing: " + string(missing) + "\n"
	}
	return out
}

// TestEveryRuleHasVectors: each rule of the catalogue has a vector for each outcome,
// or says why it never has it.
func TestEveryRuleHasVectors(t *testing.T) {
	type outcome struct {
		rule    string
		outcome rules.Outcome
	}
	subjects, texts := subjects(), map[string]bool{}
	titles, seen, never := map[string]bool{}, map[outcome]bool{}, map[outcome]bool{}
	for _, v := range readVectors(t) {
		if titles[v.file.Name] {
			t.Errorf("%s: %q stands there twice", v.archive, v.file.Name)
		}
		titles[v.file.Name] = true
		if v.never {
			never[outcome{v.rule, v.outcome}] = true
		} else {
			seen[outcome{v.rule, v.outcome}] = true
		}
	}
	for name, rule := range subjects {
		texts[rule.ID+rule.Text] = true
		for _, o := range outcomes(rule) {
			switch o := (outcome{name, o}); {
			case seen[o] && never[o]:
				t.Errorf("%s %s is said never to be %s, and has a vector for it", rule.ID, name, o.outcome)
			case !seen[o] && !never[o]:
				t.Errorf("%s %s has no vector for %s, and does not say why it never is", rule.ID, name, o.outcome)
			}
		}
	}
	for _, s := range scenarios.All() {
		for _, rule := range s.Rules {
			if !texts[rule.ID+rule.Text] {
				t.Errorf("%s (%s), of %s, has no vectors: name it in subjects", rule.ID, rule.Text, s.ID)
			}
		}
	}
}

// outcomes are those that a rule must have vectors for.
func outcomes(rule rules.Rule) []rules.Outcome {
	if rule.Grade == rules.Info {
		return []rules.Outcome{rules.Measured}
	}
	return []rules.Outcome{rules.Kept, rules.Breached, rules.Moot, rules.Unmeasured}
}

// TestEveryRuleIsARequirement: a rule and its vectors are where its requirement is; only
// what a rule asks of each peer of a crowd is with the crowds.
func TestEveryRuleIsARequirement(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	requirements, err := os.ReadFile("../docs/requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	archives := map[string]string{"alive": "testdata/alive.txt"} // by requirement
	for _, section := range strings.Split(string(requirements), "\n## ")[1:] {
		title, table, _ := strings.Cut(section, "\n")
		for _, row := range regexp.MustCompile(`(?m)^\| (R\d+) \|`).FindAllStringSubmatch(table, -1) {
			file := regexp.MustCompile(`//\t` + regexp.QuoteMeta(title) + ` +\w+\.go +(testdata/\w+\.txt)`).FindSubmatch(doc)
			if file == nil {
				t.Fatalf("doc.go does not say where the rules of the section %q are", title)
			}
			archives[row[1]] = string(file[1])
		}
	}
	subjects := subjects()
	for _, v := range readVectors(t) {
		want := archives[subjects[v.rule].Req]
		if strings.HasSuffix(v.id, "-crowd") {
			want = "testdata/kick.txt"
		}
		if v.archive != want {
			t.Errorf("%q is in %s; its requirement, %s, has its vectors in %q", v.file.Name, v.archive, subjects[v.rule].Req, want)
		}
	}
}
