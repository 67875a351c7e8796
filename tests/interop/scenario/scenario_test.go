package scenario

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// with returns a scenario with one step, in which texts are replaced.
func with(old, replacement string) string {
	const whole = `{"name":"g/s","about":"a","tags":["t"],"clock":5,"ids":["i"],"app":{"trustProxy":true},
		"storeOptions":{"touch":false,"sync":true},
		"options":{"secret":["s",{"hex":"00ff"}],"name":"n","resave":false,"rolling":true,"saveUninitialized":false,
			"unset":"destroy","proxy":true,"cookie":{"maxAge":1,"expires":{"in":2}}},
		"variants":{"v":{"secret":"z"}},
		"steps":[{"method":"GET","path":"/","cookies":{"lines":[["a=",{"jar":"n"}]]},"client":"c","variant":"v","tls":true,
			"headers":{"X":["1","2"]},"advance":1.5,"before":[{"op":"storeClear"}],
			"faults":[{"call":"get","error":"e","code":"ENOENT","skip":1}],
			"handler":[{"op":"set","key":"k","value":1}]}]}`
	return strings.Replace(whole, old, replacement, 1)
}

func TestEverythingInAScenarioIsRead(t *testing.T) {
	t.Parallel()
	var s Scenario
	if err := json.Unmarshal([]byte(with("", "")), &s); err != nil {
		t.Fatal(err)
	}
	o, step := s.Layers[0].Options, s.Steps[0]
	for name, ok := range map[string]bool{
		"name":     s.Name == "g/s",
		"clock":    s.Start.Equal(time.UnixMilli(5)),
		"ids":      len(s.IDs) == 1,
		"app":      s.TrustProxy,
		"touch":    !s.Touch,
		"secrets":  len(o.Secrets) == 2 && o.Secrets[1] == "\x00\xff",
		"options":  o.Name == "n" && !o.Resave && o.Rolling && !o.SaveUninitialized && o.UnsetDestroys && *o.Proxy,
		"order":    o.Cookie[0].Name == "maxAge" && o.Cookie[1].Name == "expires",
		"variant":  s.Variants["v"][0].Options.Secrets[0] == "z" && s.Variants["v"][0].Options.Name == "n",
		"step":     step.Client == "c" && step.Variant == "v" && step.TLS && step.Advance == 1500*time.Microsecond,
		"headers":  len(step.Headers[0].Values) == 2,
		"cookies":  step.Cookies.Lines[0][1].Name == "n",
		"faults":   step.Faults[0] == Fault{"get", "e", "ENOENT", 1},
		"before":   step.Before[0].Kind == "storeClear",
		"handler":  step.Handler[0].Key == "k" && step.Handler[0].Value == 1.0,
		"defaults": s.Layers[0].Store == MainStore && s.Layers[0].Mount == "/",
	} {
		if !ok {
			t.Errorf("%s is not read: %+v", name, s)
		}
	}
}

func TestWhatIsLeftOutHasExpressSessionsDefaults(t *testing.T) {
	t.Parallel()
	var o Options
	if err := json.Unmarshal([]byte(`{"secret":"s","key":"old"}`), &o); err != nil {
		t.Fatal(err)
	}
	if o.Name != "old" || !o.Resave || !o.SaveUninitialized || o.Rolling || o.UnsetDestroys || o.Proxy != nil {
		t.Errorf("defaults are %+v", o)
	}
	if err := json.Unmarshal([]byte(`{"secret":"s","name":"new","key":"old"}`), &o); err != nil || o.Name == "old" {
		t.Errorf("name is %q, %v", o.Name, err)
	}
}

// What the replayer does not know is an error, wherever it occurs.
func TestNothingUnknownIsPassedOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string][2]string{
		"member of a scenario":       {`"about":"a"`, `"abuot":"a"`},
		"member in another case":     {`"about":"a"`, `"About":"a"`},
		"member that occurs twice":   {`"about":"a"`, `"about":"a","about":"b"`},
		"member of the app":          {`"trustProxy":true`, `"trustProxies":true`},
		"store option":               {`"sync":true`, `"slow":true`},
		"option":                     {`"rolling":true`, `"roling":true`},
		"option of a variant":        {`{"secret":"z"}`, `{"secrets":"z"}`},
		"unset mode":                 {`"unset":"destroy"`, `"unset":"forget"`},
		"cookie option":              {`"maxAge":1`, `"maxage":1`},
		"lifetime that is text":      {`"maxAge":1`, `"maxAge":"1"`},
		"date of two kinds":          {`{"in":2}`, `{"in":2,"at":"x"}`},
		"date of no kind":            {`{"in":2}`, `{}`},
		"secret of a kind":           {`{"hex":"00ff"}`, `{"base64":"AP8="}`},
		"secret that is no hex":      {`{"hex":"00ff"}`, `{"hex":"0"}`},
		"member of a step":           {`"tls":true`, `"https":true`},
		"cookies word":               {`{"lines":[["a=",{"jar":"n"}]]}`, `"all"`},
		"cookies member":             {`{"lines":`, `{"line":`},
		"part":                       {`{"jar":"n"}`, `{"jarUpperHex":"n"}`},
		"part of two kinds":          {`{"jar":"n"}`, `{"jar":"n","encode":"x"}`},
		"part without its number":    {`{"jar":"n"}`, `{"jarCut":["n"]}`},
		"part with a negative one":   {`{"jar":"n"}`, `{"jarCut":["n",-1]}`},
		"part outside Latin-1":       {`{"jar":"n"}`, `{"latin1":"日"}`},
		"member of a signed part":    {`{"jar":"n"}`, `{"sign":{"secret":"s","jar":"n"}}`},
		"signed part without secret": {`{"jar":"n"}`, `{"sign":{"id":"i"}}`},
		"call in a fault":            {`"call":"get"`, `"call":"load"`},
		"member of a fault":          {`"skip":1`, `"after":1`},
		"operation":                  {`"op":"set"`, `"op":"put"`},
		"member of an operation":     {`"value":1`, `"value":1,"ttl":2`},
		"member missing":             {`,"value":1`, ``},
		"member of another kind":     {`"key":"k","value":1`, `"key":1,"value":1`},
		"operation on no store":      {`{"op":"storeClear"}`, `{"op":"touch"}`},
		"null":                       {`"method":"GET"`, `"method":null`},
		"no steps":                   {`"steps":[{`, `"steps":[],"x":[{`},
		"options and middlewares":    {`"variants":{"v":{"secret":"z"}}`, `"middlewares":[]`},
	} {
		text := with(c[0], c[1])
		if text == with("", "") {
			t.Fatalf("%s: %s is not there to be replaced", name, c[0])
		}
		var s Scenario
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("an unknown %s is accepted", name)
		}
	}
}

// Every operation is read with all its members. An additional member is an error.
func TestEveryOperationKnowsItsMembers(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"key": `"k"`, "value": `1`, "path": `["a",0]`, "set": `{}`, "unset": `["k"]`, "code": `201`, "name": `"X"`,
		"headers": `{"X":"1"}`, "body": `"b"`, "to": `"/"`, "message": `"m"`, "ms": `5`, "doc": `{"cookie":{}}`,
		"id": `{"self":true}`, "step": `{"method":"GET","path":"/","cookies":"none","handler":[]}`,
	}
	for kind, s := range shapes {
		members := []string{`"op":"` + kind + `"`}
		for _, key := range append(append([]string(nil), s.must...), s.may...) {
			value := values[key]
			if kind == "header" && key == "value" || kind == "addHeader" && key == "value" {
				value = `"v"`
			}
			members = append(members, `"`+key+`":`+value)
		}
		var op Op
		text := "{" + strings.Join(members, ",") + "}"
		if err := json.Unmarshal([]byte(text), &op); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := json.Unmarshal([]byte(strings.Replace(text, "}", `,"more":1}`, 1)), new(Op)); err == nil {
			t.Errorf("%s with one member more is accepted", kind)
		}
		for i := range s.must {
			less := append(append([]string(nil), members[:i+1]...), members[i+2:]...)
			if err := json.Unmarshal([]byte("{"+strings.Join(less, ",")+"}"), new(Op)); err == nil {
				t.Errorf("%s without %s is accepted", kind, s.must[i])
			}
		}
	}
}

func TestExpectationsAreReadStrictly(t *testing.T) {
	t.Parallel()
	const good = `{"group":"g","recordedWith":{"node":"v20"},"results":{"g/s":{"steps":[{"status":200,"body":"",
		"headers":{"X-A":["1","2"]},"cookies":[{"name":"n","id":"S1","change":"new","signedBy":0,"attrs":{}}],
		"values":[{"i":0,"op":"get","key":"k","value":null}],"counts":{"get":1,"set":0},"calls":["second:get S1 hit"],
		"store":{"main":{}},"informational":[{"status":103,"setCookie":false}],"lateErrors":[],"notes":[],
		"info":{"framing":"chunked"},"errorResponse":true}]}}}`
	var e Expected
	if err := json.Unmarshal([]byte(good), &e); err != nil {
		t.Fatal(err)
	}
	r := e.Results["g/s"][0]
	if r.Headers["x-a"] != "1, 2" || !r.Values[0].HasValue || r.Interim[0].Status != 103 {
		t.Errorf("read as %+v", r)
	}
	for name, c := range map[string][2]string{
		"member":                {`"status":200`, `"status":200,"reason":"OK"`},
		"member of a cookie":    {`"signedBy":0`, `"signedWith":0`},
		"member of a value":     {`"op":"get"`, `"op":"get","seen":1`},
		"member of an interim":  {`"setCookie":false`, `"cookies":0`},
		"counts of other calls": {`"get":1`, `"get":2`},
	} {
		if err := json.Unmarshal([]byte(strings.Replace(good, c[0], c[1], 1)), new(Expected)); err == nil {
			t.Errorf("an unknown %s is accepted", name)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	const scenarios = `{"group":"g","scenarios":[` +
		`{"name":"g/good","options":{"secret":"s"},"steps":[{"method":"GET","path":"/","cookies":"none","handler":[]}]},` +
		`{"name":"g/odd","options":{"secret":"s"},"steps":[{"method":"GET","path":"/","cookies":"none","handler":[{"op":"?"}]}]}]}`
	const expected = `{"group":"g","results":{"g/good":{"steps":[{"status":200}]},"g/odd":{"steps":[{"status":200}]}}}`
	write := func(files map[string]string) string {
		folder := t.TempDir()
		for name, text := range files {
			path := filepath.Join(folder, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return folder
	}
	// A scenario that cannot be read does not keep the others in its file from being replayed.
	cases, ignored, err := Load(write(map[string]string{
		"deep/er/g.json": scenarios, "deep/er/g.expected.json": expected, "vectors.json": `{"vectors":[]}`, "notes.md": "",
	}))
	if err != nil || len(cases) != 2 || cases[0].Err != nil || cases[1].Err == nil || cases[1].Name != "g/odd" || len(ignored) != 1 {
		t.Errorf("%+v, %v, %v", cases, ignored, err)
	}
	for name, files := range map[string]map[string]string{
		"no expectations":           {"g.json": scenarios},
		"no scenarios":              {"g.expected.json": expected},
		"broken JSON":               {"g.json": scenarios[1:], "g.expected.json": expected},
		"an unknown member":         {"g.json": strings.Replace(scenarios, `"group"`, `"grp"`, 1), "g.expected.json": expected},
		"an expectation too many":   {"g.json": scenarios, "g.expected.json": strings.Replace(expected, `"g/good":`, `"g/more":{"steps":[]},"g/good":`, 1)},
		"more text after the value": {"g.json": scenarios, "g.expected.json": expected + "{}"},
	} {
		if _, _, err := Load(write(files)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, text := range map[string]string{
		"a step too many": strings.Replace(expected, `[{"status":200}]`, `[{"status":200},{"status":200}]`, 1),
		"no expectation":  strings.Replace(expected, `"g/good":{"steps":[{"status":200}]},`, ``, 1),
	} {
		cases, err := Parse([]byte(scenarios), []byte(text))
		if err != nil || cases[0].Err == nil {
			t.Errorf("%s: %+v, %v", name, cases, err)
		}
	}
}
