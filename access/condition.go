package access

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition is one key of one operator: all conditions of a statement have to hold.
type condition struct {
	operator
	key       Key
	suffix    string
	qualifier qualifier
	ifExists  bool
	// operation and written are the operator and the values as the document has them.
	operation string
	written   []string

	// The values, in the form that the operator compares: any of them may hold.
	patterns  []pattern
	texts     []string // of BinaryEquals, decoded
	numbers   []float64
	times     []int64 // nanoseconds
	addresses []netip.Prefix
	truths    []bool // of Bool and Null
}

// operator is what a condition operator does, without IfExists and qualifiers.
type operator struct {
	compare comparison
	negated bool
	fold    bool // the case of ASCII letters plays no part
}

type comparison uint8

const (
	equalText comparison = 1 + iota
	likeText
	likeARN
	equalBytes
	equalNumber
	lessNumber
	lessEqualNumber
	greaterNumber
	greaterEqualNumber
	equalTime
	lessTime
	lessEqualTime
	greaterTime
	greaterEqualTime
	isTrue
	inNetwork
	isNull
)

type qualifier uint8

const (
	plain qualifier = iota
	forAll
	forAny
)

var operators = map[string]operator{
	"StringEquals": {compare: equalText}, "StringNotEquals": {compare: equalText, negated: true},
	"StringEqualsIgnoreCase":    {compare: equalText, fold: true},
	"StringNotEqualsIgnoreCase": {compare: equalText, fold: true, negated: true},
	"StringLike":                {compare: likeText}, "StringNotLike": {compare: likeText, negated: true},
	"ArnEquals": {compare: likeARN}, "ArnLike": {compare: likeARN},
	"ArnNotEquals": {compare: likeARN, negated: true}, "ArnNotLike": {compare: likeARN, negated: true},
	"BinaryEquals":  {compare: equalBytes},
	"NumericEquals": {compare: equalNumber}, "NumericNotEquals": {compare: equalNumber, negated: true},
	"NumericLessThan": {compare: lessNumber}, "NumericLessThanEquals": {compare: lessEqualNumber},
	"NumericGreaterThan": {compare: greaterNumber}, "NumericGreaterThanEquals": {compare: greaterEqualNumber},
	"DateEquals": {compare: equalTime}, "DateNotEquals": {compare: equalTime, negated: true},
	"DateLessThan": {compare: lessTime}, "DateLessThanEquals": {compare: lessEqualTime},
	"DateGreaterThan": {compare: greaterTime}, "DateGreaterThanEquals": {compare: greaterEqualTime},
	"Bool":      {compare: isTrue},
	"IpAddress": {compare: inNetwork}, "NotIpAddress": {compare: inNetwork, negated: true},
	"Null": {compare: isNull},
}

// fits tells whether an operator compares values of a kind. Texts compare with everything that is
// written as one; nothing else crosses.
func (o operator) fits(k valueKind) bool {
	switch o.compare {
	case equalText, likeText, equalBytes:
		return k == textKind || k == arnKind
	case likeARN:
		return k == arnKind
	case equalNumber, lessNumber, lessEqualNumber, greaterNumber, greaterEqualNumber:
		return k == numberKind
	case equalTime, lessTime, lessEqualTime, greaterTime, greaterEqualTime:
		return k == dateKind
	case isTrue:
		return k == boolKind
	case inNetwork:
		return k == addressKind
	}
	return o.compare == isNull
}

func (p *parser) conditions(n *node) ([]condition, error) {
	blocks, err := p.object(n, "Condition")
	if err != nil {
		return nil, err
	}
	var out []condition
	for i := range blocks {
		c, wrong := operatorOf(blocks[i].name)
		if wrong != "" {
			return nil, p.wrong(&blocks[i].value, wrong)
		}
		members, err := p.object(&blocks[i].value, "an operator's conditions")
		if err != nil {
			return nil, err
		}
		for j := range members {
			one := c
			one.operation = blocks[i].name
			if err := p.condition(&members[j], &one); err != nil {
				return nil, err
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// operatorOf reads an operator's name with its qualifier and IfExists.
func operatorOf(name string) (c condition, wrong string) {
	rest := name
	for prefix, q := range map[string]qualifier{"ForAllValues:": forAll, "ForAnyValue:": forAny} {
		if s, found := strings.CutPrefix(name, prefix); found {
			rest, c.qualifier = s, q
		}
	}
	rest, c.ifExists = strings.CutSuffix(rest, "IfExists")
	var ok bool
	if c.operator, ok = operators[rest]; !ok {
		return c, "no such condition operator"
	}
	if c.compare == isNull && (c.ifExists || c.qualifier != plain) {
		return c, "Null takes neither IfExists nor a qualifier"
	}
	return c, ""
}

// condition reads one key and its values.
func (p *parser) condition(m *member, c *condition) error {
	var ok bool
	if c.key, c.suffix, ok = KeyOf(m.name); !ok {
		return p.wrong(&m.value, "no such condition key: what is not known cannot be honoured")
	}
	row := &keyTable[c.key]
	switch {
	case !c.fits(row.kind) && !(c.key == EpochTime && c.fits(numberKind)): // that one is both
		return p.wrong(&m.value, "this operator does not compare values of "+c.key.named(c.suffix))
	case row.multi && c.qualifier == plain && c.compare != isNull:
		return p.wrong(&m.value, c.key.named(c.suffix)+" may have several values: say ForAllValues or ForAnyValue")
	case c.qualifier == forAll && (c.key == EncryptionContext || c.key == RequestTag):
		return p.wrong(&m.value, "ForAllValues also holds where the key is missing; it is not taken with "+row.name)
	}
	values, err := p.list(&m.value, "a condition's value", false)
	if err != nil {
		return err
	}
	for _, v := range values {
		if wrong := c.add(v.text, p.variables); wrong != "" {
			return p.wrong(v, wrong)
		}
		c.written = append(c.written, v.text)
	}
	return nil
}

// add reads one value.
func (c *condition) add(text string, variables bool) (wrong string) {
	switch c.compare {
	case equalText, likeText:
		one, wrong := parsePattern(text, variables, c.compare == likeText)
		c.patterns = append(c.patterns, one)
		return wrong
	case likeARN:
		one, wrong := parseARN(text, variables)
		c.patterns = append(c.patterns, one)
		return wrong
	case equalBytes:
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		c.texts = append(c.texts, string(b))
		return because(err, "BinaryEquals takes base64")
	case isTrue, isNull:
		switch {
		case strings.EqualFold(text, "true"):
			c.truths = append(c.truths, true)
		case strings.EqualFold(text, "false"):
			c.truths = append(c.truths, false)
		default:
			return "the value is true or false"
		}
	case inNetwork:
		one, err := network(text)
		c.addresses = append(c.addresses, one)
		return because(err, "not an IP address or network, such as 203.0.113.0/24")
	case equalTime, lessTime, lessEqualTime, greaterTime, greaterEqualTime:
		t, ok := dateOf(text)
		c.times = append(c.times, t)
		if !ok {
			return "not a date: RFC 3339, or seconds since 1970"
		}
	default:
		n, err := strconv.ParseFloat(text, 64)
		if err == nil && (n != n || n > 1e18 || n < -1e18) {
			err = strconv.ErrRange
		}
		c.numbers = append(c.numbers, n)
		return because(err, "not a number")
	}
	return ""
}

func because(err error, what string) string {
	if err != nil {
		return what
	}
	return ""
}

func network(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		prefix, err := netip.ParsePrefix(text)
		if err == nil && prefix.Addr().Is4In6() {
			err = fmt.Errorf("an IPv4 network in IPv6 form")
		}
		return prefix.Masked(), err
	}
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("not an address")
	}
	return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
}

// dateOf reads the forms of ISO 8601 that W3C lists, or seconds since 1970.
func dateOf(text string) (nanoseconds int64, ok bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > -1<<33 && n < 1<<33 && len(text) != 4 {
		return n * int64(time.Second), true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1700 && t.Year() <= 2200 {
			return t.UnixNano(), true
		}
	}
	return 0, false
}

// holds tells whether the condition holds for a request.
func (c *condition) holds(r *Request) bool {
	_, there := r.value(c.key, c.suffix, 0)
	switch {
	case c.compare == isNull:
		return slices.Contains(c.truths, !there)
	case !there && c.ifExists:
		return true
	case !there:
		return c.qualifier == forAll || c.qualifier == plain && c.negated
	}
	for i := 0; ; i++ {
		value, more := r.value(c.key, c.suffix, i)
		if !more {
			return c.qualifier == forAll
		}
		passes := c.any(value, r) != c.negated
		switch {
		case c.qualifier == plain:
			return passes
		case c.qualifier == forAny && passes:
			return true
		case c.qualifier == forAll && !passes:
			return false
		}
	}
}

// any tells whether any of the condition's values compares with a value of the request.
func (c *condition) any(value string, r *Request) bool {
	switch c.compare {
	case equalText, likeText, likeARN:
		for i := range c.patterns {
			if c.patterns[i].match(value, c.fold, r) {
				return true
			}
		}
		return false
	case equalBytes:
		return slices.Contains(c.texts, value)
	case isTrue:
		return slices.Contains(c.truths, value == "true")
	case inNetwork:
		return slices.ContainsFunc(c.addresses, func(n netip.Prefix) bool { return n.Contains(r.Source) })
	case equalNumber, lessNumber, lessEqualNumber, greaterNumber, greaterEqualNumber:
		if c.key == EpochTime {
			return anyOrdered(c.compare-equalNumber, float64(r.Time.Unix()), c.numbers)
		}
		n, err := strconv.ParseFloat(value, 64)
		return err == nil && anyOrdered(c.compare-equalNumber, n, c.numbers)
	}
	t, ok := r.date(c.key, value)
	return ok && anyOrdered(c.compare-equalTime, t, c.times)
}

// anyOrdered compares in the order in which the comparisons of numbers and times are listed.
func anyOrdered[N float64 | int64](how comparison, n N, values []N) bool {
	for _, v := range values {
		if [...]bool{n == v, n < v, n <= v, n > v, n >= v}[how] {
			return true
		}
	}
	return false
}
