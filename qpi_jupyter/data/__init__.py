"""Results: the xarray conventions, building, encoding and reading them, the ``.qpi`` accessor and the plots.

The package itself imports nothing heavy; its modules (`build`, `codec`, `header`, `accessor`, `views`,
`qiskit_results`) bring in numpy and xarray when they are used.
"""
