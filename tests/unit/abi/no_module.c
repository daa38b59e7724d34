/* no_module.c - a shared object that is no language module. */
const int some_other_name = 1;
