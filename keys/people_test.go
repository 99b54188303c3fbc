package keys_test

import (
	"fmt"
	"strconv"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/store"
)

// person adds a user with a policy document of its own.
func person(w *gatetest.World, name, document string) gate.ID {
	w.Helper()
	id, policy := newID(w), newID(w)
	w.Stage(
		gate.Change{Ref: store.Ref{Kind: store.KindPolicy, ID: string(policy[:])}, Body: fmt.Appendf(nil,
			`{"v":1,"name":"own","owner":%q,"created":"2026-03-01T00:00:00Z","document":%s}`, id, strconv.Quote(document))},
		gate.Change{Ref: store.Ref{Kind: store.KindPrincipal, ID: string(id[:])}, Body: fmt.Appendf(nil,
			`{"v":1,"kind":"user","name":%q,"created":"2026-03-01T00:00:00Z","policies":[%q]}`, name, policy)},
		gate.Change{Ref: store.Ref{Kind: store.KindName, ID: "user/" + name}, Body: fmt.Appendf(nil, `{"v":1,"id":%q}`, id)},
	)
	return id
}

func newID(w *gatetest.World) gate.ID {
	w.Helper()
	id, err := gate.NewID(w.Clock.Wall(), w.System.Config().Random)
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// statements makes a policy document.
func statements(list string) string { return `{"Version":"2012-10-17","Statement":[` + list + `]}` }

// allows makes a statement that allows actions, a JSON list or text, on a resource.
func allows(actions, resource string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":%s,"Resource":%q}`, actions, resource)
}

// allowedIf makes a document that allows everything on the condition.
func allowedIf(condition string) string {
	return statements(`{"Effect":"Allow","Action":["kms:*","haven:*"],"Resource":"*","Condition":{` + condition + `}}`)
}

// as is the Key Manager for a new user with a policy document.
func as(w *gatetest.World, name, document string) haven.KeyManager {
	w.Helper()
	return w.As(person(w, name, document)).KeyManager()
}
