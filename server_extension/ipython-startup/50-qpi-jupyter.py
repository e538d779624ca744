# IPython runs this file when a kernel of this environment starts. In the kernels of a lab's server it brings the
# magics; elsewhere, and where QPIServer.load_magics is False, it does nothing. It leaves no name behind.
if __import__("os").environ.get("QPI_LOAD_MAGICS") == "true":
    try:
        __import__("qpi_jupyter").load_ipython_extension(get_ipython())
    except Exception as error:  # a kernel starts, whatever is wrong with the magics
        get_ipython().log.warning("The magics of qpi-jupyter are not there: %s", error)
