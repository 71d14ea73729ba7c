"""Would the tests notice? Every small change of a module that has one job, and whether its own tests fail.

`python -m tests.mutation --help` is how it is run, with the extra `mutation`.
"""
