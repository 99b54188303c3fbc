package identity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
)

// governed makes a principal with ten policies of five statements each, and a key. Nine policies are
// about other work; worst ones have fifty statements about this very work, all but the last with a
// condition that does not hold.
func governed(p place, worst bool) (clerk gate.ID, key string) {
	p.Helper()
	made, err := p.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "benchmark", Type: keys.Data})
	p.must(err)
	clerk = p.person(identity.User, "clerk")
	const work = `{"Effect":"%s","Action":["kms:Encrypt","kms:Decrypt"],"Resource":"%s","Condition":{"StringEquals":{"aws:PrincipalTag/team":"%d"}}}`
	for i := range 10 {
		var statements []string
		for j := range 5 {
			statements = append(statements, fmt.Sprintf(work, []string{"Allow", "Deny"}[j%2], made.ARN, i*5+j))
		}
		if !worst {
			other := fmt.Sprintf("arn:aws:kms:us-east-1:000000000000:key/0197a3c2-5f00-7000-8000-%012d", i)
			statements = []string{
				`{"Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey"],"Resource":"` + other + `"}`,
				`{"Effect":"Allow","Action":["kms:Describe*","kms:List*"],"Resource":"*"}`,
				fmt.Sprintf(work, "Allow", "arn:aws:kms:*:*:key/*", i),
				`{"Effect":"Deny","Action":["kms:ScheduleKeyDeletion","kms:DisableKey","iam:*"],"Resource":"*"}`,
				`{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`,
			}
		}
		if i == 9 {
			statements[4] = `{"Effect":"Allow","Action":"kms:Encrypt","Resource":"` + made.ARN + `"}`
		}
		p.policy(fmt.Sprint("p", i), `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`)
		p.attach(fmt.Sprint("p", i), "clerk", identity.Own)
	}
	return clerk, made.ID
}

// encrypting encrypts as somebody.
func encrypting(p place, as gate.ID, key string) func() {
	km := p.As(as).KeyManager()
	plaintext := make([]byte, 32)
	return func() {
		if _, err := km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: plaintext}); err != nil {
			p.Fatal(err)
		}
	}
}

// TestPoliciesAllocateNothing: what decides by fifty statements allocates no more than what decides by
// none.
func TestPoliciesAllocateNothing(t *testing.T) {
	p := newPlace(t)
	clerk, key := governed(p, true)
	free, bound := encrypting(p, p.Admin, key), encrypting(p, clerk, key)
	measure := func(f func()) float64 { // a batch of the gate's may collect at another moment
		var runs []float64
		for range 9 {
			runs = append(runs, testing.AllocsPerRun(200, f))
		}
		slices.Sort(runs)
		return runs[4]
	}
	if a, b := measure(free), measure(bound); b > a {
		t.Errorf("%.0f allocations by the administrator, %.0f by a principal with policies", a, b)
	}
}

// BenchmarkEncrypt compares the administrator, whom no policy governs, with a principal of ten policies
// of five statements, alone and among 100,000 principals: the two take turns, so that whatever else the machine does slows
// both, and the medians are compared.
func BenchmarkEncrypt(b *testing.B) {
	for _, c := range []struct {
		others int
		worst  bool
	}{{0, false}, {0, true}, {100_000, false}, {100_000, true}} {
		others := c.others
		p := place{gatetest.New(b)}
		p.Damaged = true // what is measured is not whether the store is whole
		clerk, key := governed(p, c.worst)
		for others > 0 {
			var all []gate.Change
			for range min(others, 20) {
				person, _, _ := p.Person(fmt.Sprint("other", others), false)
				all = append(all, person...)
				others--
			}
			p.Stage(all...)
		}
		free, bound := encrypting(p, p.Admin, key), encrypting(p, clerk, key)
		b.Run(fmt.Sprintf("principals=%d/worst=%t", len(p.Items(store.KindPrincipal)), c.worst), func(b *testing.B) {
			var by [2][]float64 // nanoseconds of an operation, window by window
			for b.Loop() {
				for i, do := range []func(){free, bound} {
					start := time.Now()
					for range window {
						do()
					}
					by[i] = append(by[i], float64(time.Since(start))/window)
				}
			}
			slices.Sort(by[0])
			slices.Sort(by[1])
			middle := len(by[0]) / 2
			b.ReportMetric(by[0][middle], "ns/administrator")
			b.ReportMetric(by[1][middle], "ns/policies")
			b.ReportMetric(by[1][middle]/by[0][middle], "ratio")
		})
		p.End()
	}
}

// window is how many operations one measures before it is the other's turn.
const window = 100
