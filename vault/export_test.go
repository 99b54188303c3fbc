package vault

import "github.com/haven-health/haven/store"

// Recode decodes a stored version and encodes it again.
func Recode(item *store.Item) (body []byte, ok bool) {
	b, err := decodeVersion(item)
	if err != nil {
		return nil, false
	}
	c, err := (*Manager)(nil).Rewrapped(item, b.wrapped, "")
	return c.Body, err == nil
}

// Split reads a name or an ARN, and writes it again.
func (m *Manager) Split(text string) (again string, ok bool) {
	name, suffix, err := m.split(text)
	if err != nil {
		return "", false
	}
	if suffix == "" {
		return name, true
	}
	return m.arn(name, suffix), true
}
