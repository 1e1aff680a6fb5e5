/* placeholder entry point; the command table lives here */
int main(void) { return 0; }
