"""GTO and MLflow with as many versions as mlgit, where an environment has them."""


def report(*_):
    return ""
