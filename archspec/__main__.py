"""python -m archspec"""

from archspec_nn import main

main()
