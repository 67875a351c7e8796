package web_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A user whose browser prefers Korean gets Korean on every page, form and error, in the list for
// the script, and in responses to programs. A user whose browser prefers a language without
// translation gets English.
func TestPagesSpeakTheLanguageOfTheBrowser(t *testing.T) {
	t.Parallel()
	s := setup(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	ask := func(language, method, path, accept string, form url.Values, want ...string) {
		t.Helper()
		ctx := t.Context()
		r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		r.Header.Set("Accept-Language", language)
		r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		page := string(body)
		for _, part := range want {
			if !strings.Contains(page, part) {
				t.Errorf("%s %s in %s lacks %q:\n%s", method, path, language, part, page)
			}
		}
		if vary := resp.Header.Get("Vary"); !strings.Contains(vary, "Accept-Language") {
			t.Errorf("%s %s: Vary: %q", method, path, vary)
		}
		if accept == html && strings.HasPrefix(language, "ko") {
			if got := resp.Header.Get("Content-Language"); got != "ko" || !strings.Contains(page, `<html lang="ko">`) {
				t.Errorf("%s %s: Content-Language: %q", method, path, got)
			}
			if english := englishIn(page); english != "" {
				t.Errorf("%s %s in Korean has %q:\n%s", method, path, english, page)
			}
		}
	}
	const ko = "ko-KR,ko;q=0.9,en;q=0.8"
	fields := func(pairs ...string) url.Values {
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form
	}
	ask("fr", http.MethodGet, "/", html, nil, `<html lang="en">`, "Welcome", "Sign up")
	ask(ko, http.MethodGet, "/", html, nil, "환영합니다", "가입하기", "로그인")
	ask(ko, http.MethodGet, "/register", html, nil, "사용자 이름", "15자 이상")
	ask(ko, http.MethodPost, "/register", html, fields("username", "김 철수", "password", "짧다"), "오류:", "공백 없이", "15자 이상 입력하세요")
	ask(ko, http.MethodPost, "/register", html, fields("username", "철수", "password", "correct horse battery"), "철수 님, 안녕하세요", "<strong>철수</strong> 사용자로", "내 기기")
	today := time.Now().UTC()
	ask(ko, http.MethodGet, "/me", html, nil, today.Format("2006년 1월 2일 "))
	ask("en", http.MethodGet, "/me", html, nil, today.Format("2 Jan 2006, "))
	ask(ko, http.MethodGet, "/sessions", html, nil, "이 기기에서만 로그인되어 있습니다.", "Firefox (Linux)", `data-log-out="%s 로그아웃"`, "방금</time>", "마지막으로 사용한 네트워크: ")
	ask(ko, http.MethodGet, "/sessions", "application/json", nil, `"text":"이 기기에서만 로그인되어 있습니다."`, `"device":"Firefox (Linux)"`)
	ask("en", http.MethodGet, "/sessions", "application/json", nil, `"device":"Firefox on Linux"`)
	ask(ko, http.MethodPost, "/sessions/none/logout", html, fields(), "이미 로그아웃되어 있어")
	ask(ko, http.MethodGet, "/password", html, nil, "현재 비밀번호", "비밀번호 변경")
	ask(ko, http.MethodPost, "/password", html, fields("current_password", "wrong", "new_password", "battery horse correct"), "현재 비밀번호가 아닙니다")
	ask(ko, http.MethodPost, "/password", html, fields("current_password", "correct horse battery", "new_password", "battery horse correct"), "비밀번호를 변경했습니다.", "다른 기기가 없습니다")
	ask(ko, http.MethodPost, "/logout", html, fields(), "로그아웃했습니다.")
	ask(ko, http.MethodPost, "/login", html, fields("username", "철수", "password", "wrong"), "사용자 이름이나 비밀번호가 올바르지 않습니다.")
	ask(ko, http.MethodPost, "/login", "application/json", fields("username", "", "password", ""), `"username":"사용자 이름을 입력하세요"`)
	ask(ko, http.MethodGet, "/nothing", html, nil, "이 주소에는 아무것도 없습니다.")
	ask(ko, http.MethodGet, "/logout", html, nil, "이 주소는 POST 요청에 응답합니다.")
}

const html = "text/html"

var (
	tags  = regexp.MustCompile(`<[^>]*>`)
	words = regexp.MustCompile(`[A-Za-z]{3,}( [A-Za-z]+)*`)
)

// englishIn returns the first English text on a page, except for names.
func englishIn(page string) string {
	text := tags.ReplaceAllString(page, "\n")
	for _, name := range []string{"nest session", "Firefox (Linux)", "UTC", "Caps Lock", "POST", "GET"} {
		text = strings.ReplaceAll(text, name, "")
	}
	return words.FindString(text)
}
