package access

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Principal is who asks, as far as decisions go. It is made when a principal or credential is
// loaded, and not changed.
type Principal struct {
	// ID is what policies know it by; ARN is for people, and for conditions on it.
	ID  string
	ARN string
	// Account is its 12 digits. Root tells that it is the account itself: what is delegated to the
	// account it may do.
	Account string
	Root    bool
	// Kind is aws:PrincipalType: User, AssumedRole, Account.
	Kind string
	Name string
	// RoleID and RoleARN are of the role that a session assumed, "" for others.
	RoleID, RoleARN string
	Tags            map[string]string
	// Policies are its own and its groups', Boundary and Session restrict them; nil restricts
	// nothing.
	Policies []*Policy
	Boundary *Policy
	Session  *Policy
	// MultiFactor, AuthContextClass and AuthMethods are of how it proved itself, and Issued of when
	// the credential was; Temporary tells that it is of a session, which alone has those keys.
	Temporary        bool
	MultiFactor      bool
	Issued           time.Time
	AuthContextClass string
	AuthMethods      []string
}

// Object is what a request is done to, as far as decisions go: a key or a stored key. It is made
// when that is loaded, and not changed.
type Object struct {
	ARN     string
	Account string
	// Policy is its own; nil where objects of its kind have none.
	Policy *Policy
	// Grants are those on it by grantee, so that a decision costs the same whoever else has some.
	Grants map[string][]Grant
	Tags   map[string]string
	// Values are what else is known of it, whatever is asked.
	Values []Value
}

// Context is a request's encryption context.
type Context interface {
	// Get returns the value of a name.
	Get(name string) (value string, ok bool)
	// Name returns the i-th name.
	Name(i int) (name string, ok bool)
}

// Value is one value of a condition key that is about the request, or about its object.
type Value struct {
	Key  Key
	Text string
}

// Request is one question: may this principal do this to that?
type Request struct {
	Principal *Principal
	Action    Action
	// Object is nil where the operation is done to no single thing.
	Object *Object
	Time   time.Time
	// Source is the caller's address; invalid where there is none, as for work at the machine.
	Source netip.Addr
	// Secure tells that it came over TLS, or never left the machine.
	Secure    bool
	UserAgent string
	Region    string
	// Context is the encryption context, nil for none.
	Context Context
	// RequestTags are those that the request would set.
	RequestTags []Tag
	// Values are all else that is known of it.
	Values []Value
}

// Tag is a tag that a request would set.
type Tag struct{ Name, Value string }

// TagsOf are tags as conditions see them.
func TagsOf(tags map[string]string) []Tag {
	var out []Tag
	for name, value := range tags {
		out = append(out, Tag{Name: name, Value: value})
	}
	return out
}

// text returns the one value of a key.
func (r *Request) text(k Key, suffix string) (string, bool) { return r.value(k, suffix, 0) }

// value returns the i-th value of a key, from 0, and whether there is one. Times are not among the
// texts: date returns them, and value only tells that they are there.
func (r *Request) value(k Key, suffix string, i int) (string, bool) {
	switch k {
	case EncryptionContextKeys:
		return r.contextName(i)
	case TagKeys:
		if i < len(r.RequestTags) {
			return r.RequestTags[i].Name, true
		}
		return r.listed(k, i-len(r.RequestTags)) // of tags that are to be taken away
	case AuthMethods:
		return nth(i, len(r.Principal.AuthMethods), func() string { return r.Principal.AuthMethods[i] })
	case ResourceAliases, GrantOperations:
		return r.listed(k, i)
	}
	if i > 0 || keyTable[k].absent {
		return "", false
	}
	if k < CallerAccount {
		return r.global(k, suffix)
	}
	switch k {
	case CallerAccount:
		return r.Principal.Account, true
	case EncryptionContext:
		if r.Context == nil {
			return "", false
		}
		return r.Context.Get(suffix)
	case GrantIsForAWSResource, MultiRegion:
		return "false", true
	case Approvals:
		if text, given := r.listed(k, 0); given {
			return text, true
		}
		return "0", true // every request has it: a policy that demands some is not passed by what is not there
	}
	return r.listed(k, 0)
}

func nth(i, n int, at func() string) (string, bool) {
	if i >= n {
		return "", false
	}
	return at(), true
}

func (r *Request) contextName(i int) (string, bool) {
	if r.Context == nil {
		return "", false
	}
	return r.Context.Name(i)
}

// listed returns the i-th of the values given for a key: the request's, then its object's.
func (r *Request) listed(k Key, i int) (string, bool) {
	text, skipped, ok := nthOf(r.Values, k, i)
	if !ok && r.Object != nil {
		text, _, ok = nthOf(r.Object.Values, k, i-skipped)
	}
	return text, ok
}

// nthOf returns the i-th value of a key in a list, or how many there are.
func nthOf(list []Value, k Key, i int) (text string, n int, ok bool) {
	for j := range list {
		if list[j].Key != k {
			continue
		}
		if n == i {
			return list[j].Text, n, true
		}
		n++
	}
	return "", n, false
}

// global returns the value of a key that every request has, or may have.
func (r *Request) global(k Key, suffix string) (string, bool) {
	p := r.Principal
	switch k {
	case PrincipalARN:
		if p.RoleARN != "" {
			return p.RoleARN, true
		}
		return p.ARN, true
	case PrincipalAccount:
		return p.Account, true
	case PrincipalType:
		return p.Kind, true
	case PrincipalTag:
		return tagged(p.Tags, suffix)
	case UserID:
		return p.ID, true
	case UserName:
		return p.Name, p.Kind == "User"
	case SourceIP:
		return "", r.Source.IsValid()
	case UserAgent:
		return r.UserAgent, r.UserAgent != ""
	case SecureTransport:
		return strconv.FormatBool(r.Secure), true
	case CurrentTime, EpochTime:
		return "", true
	case TokenIssueTime:
		return "", p.Temporary
	case MultiFactor:
		return strconv.FormatBool(p.MultiFactor), p.Temporary
	case RequestedRegion:
		return r.Region, true
	case ResourceTag, ResourceAccount:
		if r.Object == nil {
			return "", false
		}
		if k == ResourceAccount {
			return r.Object.Account, true
		}
		return tagged(r.Object.Tags, suffix)
	case RequestTag:
		i := slices.IndexFunc(r.RequestTags, func(t Tag) bool { return strings.EqualFold(t.Name, suffix) })
		if i < 0 {
			return "", false
		}
		return r.RequestTags[i].Value, true
	case AuthContextClass:
		return p.AuthContextClass, p.AuthContextClass != ""
	}
	return r.listed(k, 0)
}

// tagged finds a tag; the case of its name plays no part, as in AWS.
func tagged(tags map[string]string, name string) (string, bool) {
	if len(tags) == 0 {
		return "", false
	}
	if v, ok := tags[name]; ok {
		return v, true
	}
	for k, v := range tags {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

// date returns a time value in nanoseconds since 1970.
func (r *Request) date(k Key, text string) (int64, bool) {
	switch k {
	case CurrentTime, EpochTime:
		return r.Time.UnixNano(), true
	case TokenIssueTime:
		return r.Principal.Issued.UnixNano(), true
	}
	return dateOf(text)
}
