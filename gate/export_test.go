package gate

// AddToSet and RemoveFromSet are the algebra of the access set's hash.
func AddToSet(set, itemMAC [32]byte, mac MAC) [32]byte {
	h := setHash(set)
	h.add(&itemMAC, mac)
	return h
}

// RemoveFromSet undoes AddToSet.
func RemoveFromSet(set, itemMAC [32]byte, mac MAC) [32]byte {
	h := setHash(set)
	h.remove(&itemMAC, mac)
	return h
}
