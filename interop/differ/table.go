package differ

// Table lists all that differs on purpose.
var Table = []Row{}
