#include "apps/dosql/app.h"

int main(int argc, char** argv) { return dosql::shell::run_app({argv + (argc > 0 ? 1 : 0), argv + argc}); }
