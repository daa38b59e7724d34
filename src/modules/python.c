/*
 * python.c - the language module "python": any CPython from 3.8 on, as the user installed it.
 *
 * The guest is one shared object for all versions; it is loaded by its path, so that nothing of
 * ours stands in sys.path.  What Python prepends there for -c ("") is taken away: the application's
 * directories come from its option `path`.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "abi/module.h"
#include "modules/interpreter.h"

static const char bootstrap[] =
    "import sys\n"
    "from importlib import machinery, util\n"
    "if sys.version_info < (3, 8): sys.exit('brood needs Python 3.8 or newer')\n"
    "if sys.path and sys.path[0] == '': del sys.path[0]\n"
    "path = sys.argv[1]\n"
    "sys.argv = ['brood']\n"
    "if hasattr(sys.stdout, 'reconfigure'): sys.stdout.reconfigure(line_buffering=True)\n"
    "loader = machinery.ExtensionFileLoader('_brood', path)\n"
    "module = util.module_from_spec(util.spec_from_loader('_brood', loader))\n"
    "loader.exec_module(module)\n"
    "sys.modules['_brood'] = module\n"
    "del path, loader, machinery, util\n"
    "module.run()\n";

static const struct interpreter python = {
    .type = "python",
    .program = "python3",
    .stem = "python",
    .guest = "_brood.abi3.so",
    .ask = "import sys; sys.version_info >= (3, 8) and print('%d.%d.%d' % sys.version_info[:3])",
};

static int
python_describe(const char *modules_dir, struct module_list *ret_list, struct br_err *err)
{
    return interpreter_describe(&python, modules_dir, ret_list, err);
}

static int
python_deps(const struct module_setup *s, struct module_deps *ret, struct br_err *err)
{
    return interpreter_deps(&python, s, ret, err);
}

static int
python_setup(const struct module_setup *s, struct br_err *err)
{
    char path[MODULE_PATH_MAX];
    char guest[MODULE_PATH_MAX];
    int rc = interpreter_find(&python, s, path, err);

    if (rc == 0)
        rc = interpreter_guest(&python, s->modules_dir, guest, err);
    if (rc < 0)
        return rc;
    if (access(guest, R_OK) < 0)
        return br_fail(err, -errno, "cannot read \"%s\"", guest);
    if (setenv(MODULE_HERITAGE, s->heritage, 1) < 0)
        return br_fail(err, -errno, "cannot set the environment");
    execl(path, path, "-c", bootstrap, guest, (char *)NULL);
    return br_fail(err, -errno, "cannot execute \"%s\"", path);
}

BR_MODULE = {
    .abi = MODULE_ABI,
    .name = "python",
    .describe = python_describe,
    .deps = python_deps,
    .setup = python_setup,
};
