package jsontext

// Valid is json.Valid, which takes a call for each byte: most of what reading a document
// would cost.
func Valid(text []byte) bool {
	end := scan(text, SkipSpace(text, 0), MaxDepth)
	return end >= 0 && SkipSpace(text, end) == len(text)
}

// ScanMember returns where the value of an object's member ends, which begins at text[i];
// -1 if it is not valid.
func ScanMember(text []byte, i int) int { return scan(text, i, MaxDepth-1) }

// plain are the bytes that stand for themselves within a JSON string.
var plain = func() (is [256]bool) {
	for c := range is {
		is[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return is
}()

func scan(text []byte, i, room int) int {
	if i >= len(text) {
		return -1
	}
	switch text[i] {
	case '"':
		return ScanText(text, i)
	case '{':
		return scanObject(text, i, room-1)
	case '[':
		return scanArray(text, i, room-1)
	case 't':
		return scanWord(text, i, "true")
	case 'f':
		return scanWord(text, i, "false")
	case 'n':
		return scanWord(text, i, "null")
	}
	return scanNumber(text, i)
}

func scanObject(text []byte, i, room int) int {
	if room < 0 {
		return -1
	}
	if i = SkipSpace(text, i+1); i < len(text) && text[i] == '}' {
		return i + 1
	}
	for {
		if i = ScanText(text, i); i < 0 {
			return -1
		}
		if i = SkipSpace(text, i); i >= len(text) || text[i] != ':' {
			return -1
		}
		if i = scan(text, SkipSpace(text, i+1), room); i < 0 {
			return -1
		}
		if i = SkipSpace(text, i); i >= len(text) {
			return -1
		}
		if text[i] == '}' {
			return i + 1
		}
		if text[i] != ',' {
			return -1
		}
		i = SkipSpace(text, i+1)
	}
}

func scanArray(text []byte, i, room int) int {
	if room < 0 {
		return -1
	}
	if i = SkipSpace(text, i+1); i < len(text) && text[i] == ']' {
		return i + 1
	}
	for {
		if i = scan(text, i, room); i < 0 {
			return -1
		}
		if i = SkipSpace(text, i); i >= len(text) {
			return -1
		}
		if text[i] == ']' {
			return i + 1
		}
		if text[i] != ',' {
			return -1
		}
		i = SkipSpace(text, i+1)
	}
}

// ScanPlain is [ScanText] for strings without escapes. It returns -1 for others too.
func ScanPlain(text []byte, i int) int {
	if i >= len(text) || text[i] != '"' {
		return -1
	}
	for i++; i < len(text) && plain[text[i]]; i++ {
	}
	if i >= len(text) || text[i] != '"' {
		return -1
	}
	return i + 1
}

// ScanText returns where the string at text[i] ends, -1 if there is none.
func ScanText(text []byte, i int) int {
	if i >= len(text) || text[i] != '"' {
		return -1
	}
	for i++; ; {
		for i < len(text) && plain[text[i]] {
			i++
		}
		if i >= len(text) || text[i] < ' ' {
			return -1
		}
		if text[i] == '"' {
			return i + 1
		}
		if i += 2; i > len(text) {
			return -1
		}
		switch text[i-1] {
		case 'b', 'f', 'n', 'r', 't', '\\', '/', '"':
		case 'u':
			if len(text)-i < 4 || !isHex(text[i]) || !isHex(text[i+1]) || !isHex(text[i+2]) || !isHex(text[i+3]) {
				return -1
			}
			i += 4
		default:
			return -1
		}
	}
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func scanWord(text []byte, i int, word string) int {
	if end := i + len(word); end <= len(text) && string(text[i:end]) == word {
		return end
	}
	return -1
}

func scanNumber(text []byte, i int) int {
	if text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i++
	} else if i = scanDigits(text, i); i < 0 {
		return -1
	}
	if i < len(text) && text[i] == '.' {
		if i = scanDigits(text, i+1); i < 0 {
			return -1
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return scanDigits(text, i)
	}
	return i
}

// scanDigits passes at least one digit.
func scanDigits(text []byte, i int) int {
	from := i
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	if i == from {
		return -1
	}
	return i
}
