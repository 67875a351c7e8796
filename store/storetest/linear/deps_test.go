package linear

import _ "github.com/anishathalye/porcupine"
