package cookie_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/nestsession/session/cookie"
)

// A response gives the browser an id, the next request brings it back.
func Example() {
	signer, err := cookie.NewSigner("a secret of 32 random bytes")
	if err != nil {
		fmt.Println(err)
		return
	}
	attributes := &cookie.Attributes{Path: "/", HTTPOnly: true, Secure: true, SameSite: cookie.SameSiteLax}

	w := httptest.NewRecorder()
	value := string(signer.AppendValue(nil, "Zk3vQh1cT9yUeWm2"))
	w.Header().Add("Set-Cookie", string(cookie.Append(nil, "__Host-sid", value, attributes)))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	first, _ := cookie.Lookup(r.Header["Cookie"], "__Host-sid")
	id, _, err := signer.Verify(first)
	fmt.Println(id, err)
	// Output: Zk3vQh1cT9yUeWm2 <nil>
}

// To rotate secrets, put the new one in front.
func ExampleNewSigner() {
	before, _ := cookie.NewSigner("old secret")
	value := string(before.AppendValue(nil, "id"))

	after, _ := cookie.NewSigner("new secret", "old secret")
	id, secret, err := after.Verify(value)
	fmt.Println(id, err)
	fmt.Println("send the cookie anew:", secret > 0)

	_, err = cookie.NewSigner("")
	fmt.Println(err)
	// Output:
	// id <nil>
	// send the cookie anew: true
	// cookie: empty secret
}

func ExampleSigner_AppendSigned() {
	signer, _ := cookie.NewSigner("keyboard")
	fmt.Printf("%s\n", signer.AppendSigned(nil, "user/42"))
	// Output: s:user/42.enwb8sd5nMBVV4rgXWt0j7/dSeHB8SA80kUdcBFAOkE
}

func ExampleSigner_AppendValue() {
	signer, _ := cookie.NewSigner("keyboard")
	fmt.Printf("%s\n", signer.AppendValue(nil, "user/42"))
	// Output: s%3Auser%2F42.enwb8sd5nMBVV4rgXWt0j7%2FdSeHB8SA80kUdcBFAOkE
}

func ExampleSigner_AppendCookie() {
	signer, _ := cookie.NewSigner("keyboard")
	a := cookie.Attributes{Path: "/", HTTPOnly: true}
	fmt.Printf("%s\n", signer.AppendCookie(nil, "connect.sid", "an id", &a))
	// Output: connect.sid=s%3Aan%20id.izcrO0%2FuoLViuTKgNYylow0NBkLWicAVEpv5YgX%2FBjw; Path=/; HttpOnly
}

func ExampleSigner_Verify() {
	signer, _ := cookie.NewSigner("keyboard")
	value := string(signer.AppendValue(nil, "id"))

	id, _, err := signer.Verify(value)
	fmt.Println(id, err)

	_, _, err = signer.Verify(value[:len(value)-1])
	fmt.Println(errors.Is(err, cookie.ErrSignature), err)

	_, _, err = signer.Verify("GA1.1.123")
	fmt.Println(errors.Is(err, cookie.ErrMalformed), err)
	// Output:
	// id <nil>
	// true cookie: signature does not match
	// true cookie: not a signed value
}

func ExampleLookup() {
	header := http.Header{"Cookie": {"theme=dark; sid=first", `sid="second"`}}
	value, n := cookie.Lookup(header["Cookie"], "sid")
	fmt.Println(value, n)
	// Output: first 2
}

func ExampleAppend() {
	line := cookie.Append(nil, "sid", "s%3Aid.signature", &cookie.Attributes{
		Domain:   "example.com",
		Path:     "/",
		Expires:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		HTTPOnly: true,
		Secure:   true,
		Priority: cookie.PriorityHigh,
		SameSite: cookie.SameSiteStrict,
	})
	fmt.Printf("%s\n", line)
	// Output: sid=s%3Aid.signature; Domain=example.com; Path=/; Expires=Fri, 02 Jan 2026 03:04:05 GMT; HttpOnly; Secure; Priority=High; SameSite=Strict
}

func ExampleAttributes_Validate() {
	a := &cookie.Attributes{Path: "/; Domain=evil.example"}
	fmt.Println(a.Validate())
	fmt.Printf("%q\n", cookie.Append(nil, "sid", "value", a))
	// Output:
	// cookie: Path has a semicolon, a "<" or a character beyond printable ASCII
	// ""
}

func ExampleFieldError() {
	err := (&cookie.Attributes{Domain: "example.com:8080"}).Validate()
	if field, ok := errors.AsType[*cookie.FieldError](err); ok {
		fmt.Println(field.Field)
	}
	// Output: Domain
}

func ExampleValidName() {
	fmt.Println(cookie.ValidName("__Host-sid"))
	fmt.Println(cookie.ValidName("my sid"))
	// Output:
	// <nil>
	// cookie: Name has a character other than letters, digits and !#$%&'*+-.^_`|~
}

func ExampleValidPair() {
	signer, _ := cookie.NewSigner("keyboard")
	longID := string(make([]byte, 2000)) // each byte takes three when escaped
	value := string(signer.AppendValue(nil, longID))
	fmt.Println(cookie.ValidPair("sid", value))
	// Output: cookie: Name and value are over 4096 bytes together
}

func ExampleValidID() {
	fmt.Println(cookie.ValidID("Zk3vQh1cT9yUeWm2"))
	fmt.Println(cookie.ValidID(""))
	// Output:
	// <nil>
	// cookie: ID is empty
}

// A client may send several cookies of one name; which is which it does not say.
func ExampleAll() {
	for value := range cookie.All([]string{"sid=a; theme=dark; sid=b"}, "sid") {
		fmt.Println(value)
	}
	// Output:
	// a
	// b
}

// The prefix is a browser's rule, and no part of what the cookie is called.
func ExampleBareName() {
	fmt.Println(cookie.BareName("__Host-sid"), cookie.BareName("__Secure-sid"), cookie.BareName("sid"))
	// Output: sid sid sid
}
